/** Runs `sluice config` against an Admin API, with a file of a given text. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sluice, type CliResult } from '../../support/gateway.ts';
import { tempDir } from '../../support/temp-dir.ts';

export async function withFile(text: string, use: (file: string) => Promise<void>): Promise<void> {
  await using folder = await tempDir();
  const file = join(folder.path, 'kong.yml');
  await writeFile(file, text);
  await use(file);
}

export function config(admin: string, command: string, ...args: string[]): Promise<CliResult> {
  return sluice(['config', command, '--admin', admin, ...args]);
}

export function assertExit(result: CliResult, code: number): void {
  assert.equal(result.code, code, `${result.stdout}\n${result.stderr}`);
}
