/** Files of request targets for load.lua. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from './scenario.ts';

/** Writes one target per line and returns the file's path. */
export async function writePaths(context: Context, name: string, paths: Iterable<string>): Promise<string> {
  const file = join(context.folder, `${name}.txt`);
  await writeFile(file, [...paths].map((path) => `${path}\n`).join(''));
  return file;
}
