/** `sluice health`: is the gateway of this prefix running? */
import {
  EXIT_FAILED,
  EXIT_OK,
  SETTINGS_OPTIONS,
  SETTINGS_OPTIONS_HELP,
  type Command,
  type Terminal,
} from '../command.ts';

const TIMEOUT_MS = 5000;

export const command: Command = {
  help: `Usage: sluice health [OPTIONS]

Tells whether the gateway runs: exit code 0 when it does, 1 when it does not,
does not answer, or is about to stop.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [0, 0],
  async run(invocation) {
    const [{ callOrFail }, { readPrefix }] = await Promise.all([
      import('../stopping.ts'),
      import('../read-settings.ts'),
    ]);
    const prefix = readPrefix(invocation);
    const { body } = await callOrFail(prefix, { method: 'GET', path: '/health', timeout: TIMEOUT_MS });
    return report(invocation.terminal, prefix, body);
  },
};

function report(terminal: Terminal, prefix: string, body: Readonly<Record<string, unknown>>): number {
  const { status } = body;
  if (status !== 'running') {
    terminal.error(`Sluice is not healthy at ${prefix}: ${String(status)}`);
    return EXIT_FAILED;
  }
  terminal.out(`Sluice is healthy at ${prefix}`);
  terminal.out(
    `process ${String(body['pid'])}, version ${String(body['version'])}, revision ${String(body['revision'])}`,
  );
  for (const worker of records(body['workers'])) {
    terminal.out(`worker ${String(worker['id'])}: ${String(worker['state'])}`);
  }
  const listeners = body['listeners'];
  if (typeof listeners === 'object' && listeners !== null) {
    for (const [side, addresses] of Object.entries(listeners)) {
      if (Array.isArray(addresses) && addresses.length > 0) terminal.out(`${side}: ${addresses.join(', ')}`);
    }
  }
  return EXIT_OK;
}

function records(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Record<string, unknown> => typeof item === 'object' && item !== null);
}
