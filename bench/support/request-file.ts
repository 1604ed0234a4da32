/** Files of requests for load.lua. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlainRequest } from './rest-routes.ts';
import type { Context } from './scenario.ts';

/** The Host of requests that do not care. */
const HOST = 'api.example.com';

/** Writes one request per line and returns the file's path. */
export async function writeRequests(
  context: Context,
  name: string,
  requests: readonly PlainRequest[],
): Promise<string> {
  const file = join(context.folder, `${name}.txt`);
  const lines = requests.map(
    ({ method, host, path, header }) =>
      `${method} ${host ?? HOST} ${path}${header === undefined ? '' : ` ${header.join(' ')}`}\n`,
  );
  await writeFile(file, lines.join(''));
  return file;
}
