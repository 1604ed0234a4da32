/** Settings that a running gateway takes by a reload. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Gateway } from '../../support/gateway.ts';

/** Runs `body` with further lines in sluice.conf; the next call starts from the lines that were there before. */
export async function withSettings(
  gateway: Gateway,
  settings: Readonly<Record<string, string>>,
  body: () => Promise<void>,
): Promise<void> {
  const before = await readFile(gateway.conf, 'utf8');
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
  await writeFile(gateway.conf, before + lines.join(''));
  try {
    await gateway.reload();
    await body();
  } finally {
    await writeFile(gateway.conf, before);
  }
}
