/**
 * Validation of files: offline by the compiler of declarative files, which knows lines; online by the schemas of a
 * running gateway, which knows its own plugins.
 */
import type { Invocation } from '../command.ts';
import { readSettings } from '../read-settings.ts';
import { loadPlugins } from '../user-plugins.ts';
import { compileBytes } from '../../store/file/compile.ts';
import { renderErrors } from '../../store/file/render.ts';
import { refusal } from './admin-client.ts';
import { adminClient } from './connection.ts';
import { readBytes, readFiles } from './files.ts';
import { prepareDeck } from './deck.ts';
import { flatten, type Wanted } from './flatten.ts';
import { printable } from './labels.ts';
import { forEachParallel } from './parallel.ts';
import { identify } from './server.ts';

/** One line for each problem. @throws CommandError when a file cannot be read. */
export async function validateOffline(invocation: Invocation): Promise<string[]> {
  const { settings } = readSettings(invocation);
  await loadPlugins(settings, invocation.terminal);
  const now = Math.floor(Date.now() / 1000);
  return invocation.positionals.flatMap((name) => {
    const options = { filename: name, flavor: settings.router_flavor, now, prepare: prepareDeck };
    const result = compileBytes(readBytes(name), options);
    return result.ok ? [] : renderErrors(result.errors, name);
  });
}

/** @throws CommandError when a file or the gateway cannot be read. */
export async function validateOnline(invocation: Invocation): Promise<string[]> {
  const merged = readFiles(invocation.positionals);
  const client = adminClient(invocation);
  const problems = new Map<Wanted, string>();
  try {
    await identify(client);
    const wanted = flatten(merged);
    await forEachParallel(wanted, client.options.parallel, async (one) => {
      const { kind, values } = one;
      // Who is in which group has no schema.
      if (kind.name === 'consumer_group_consumers') return;
      const body = { ...values, ...standIns(one) };
      const answer = await client.call({ method: 'POST', path: `/schemas/${kind.name}/validate`, body });
      if (answer.status >= 300) problems.set(one, `${one.place}: ${printable(refusal(answer))}`);
    });
    return wanted.flatMap((one) => problems.get(one) ?? []);
  } finally {
    client.close();
  }
}

/** A schema only asks that references are ids. */
function standIns({ kind, values, parent }: Wanted): Record<string, unknown> {
  const fields = Object.keys(kind.references).filter(
    (field) => parent?.field === field || (values[field] !== undefined && values[field] !== null),
  );
  return Object.fromEntries(fields.map((field) => [field, { id: '00000000-0000-4000-8000-000000000000' }]));
}
