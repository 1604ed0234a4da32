import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestPlane } from '../../support/data-plane.ts';
import { waitFor } from '../../support/wait.ts';

/** Waits until the error log has a line like that; needs `proxy_error_log: logs/error.log`. */
export async function logOf({ settings }: TestPlane, line: RegExp): Promise<string> {
  const path = join(settings.prefix, 'logs/error.log');
  let text = '';
  await waitFor(
    async () => {
      text = await readFile(path, 'utf8').catch(() => '');
      return line.test(text);
    },
    { what: `the log to say ${String(line)}` },
  );
  return text;
}
