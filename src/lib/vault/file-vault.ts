/**
 * The vault `file`: `{vault://file/PATH}` is the content of a file below one folder, less a line break at its end, and
 * `{vault://file/PATH/KEY}` one field of the JSON object in it. Which of the two is meant needs no notation: a path
 * whose last but one part is a file can only mean its field.
 *
 * Nothing outside the folder is read: no `..`, and where symbolic links lead is compared with the folder (Kubernetes
 * mounts secrets as links within one). Without a folder there is no such vault.
 */
import { join, sep } from 'node:path';
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from '../node-fs.ts';
import { jsonField } from './json-field.ts';
import { type VaultReference, VaultError } from './reference.ts';

const MAX_BYTES = 1024 * 1024;

/** @param base the folder, or null. @param prefix a folder below it. @throws VaultError */
export function readFileVault(reference: VaultReference, base: string | null, prefix: string): string {
  const { text, whole } = reference;
  if (base === null) throw new VaultError(text, 'set vault_file_base to the folder of the secrets');
  const segments = [...prefix.split('/').filter((part) => part !== ''), ...reference.segments];
  // oxlint-disable-next-line no-control-regex
  if (segments.some((part) => part === '.' || part === '..' || /[/\\\u0000]/.test(part))) {
    throw new VaultError(text, 'a path may not have . or .. in it');
  }
  const direct = read(text, base, segments);
  if (direct !== null) return direct.replace(/\r?\n$/, '');
  const parent = segments.slice(0, -1);
  const key = segments.at(-1);
  const outer = whole || reference.segments.length < 2 || key === undefined ? null : read(text, base, parent);
  if (outer === null || key === undefined) {
    throw new VaultError(text, `there is no file ${segments.join('/')} in vault_file_base`);
  }
  return jsonField(text, parent.join('/'), outer, key);
}

/** Null: there is no such file. */
function read(text: string, base: string, segments: readonly string[]): string | null {
  let file: number;
  try {
    const root = realpathSync(base);
    const path = realpathSync(join(root, ...segments));
    if (!path.startsWith(root === sep ? sep : root + sep))
      throw new VaultError(text, 'leads out of vault_file_base');
    // A pipe would wait for its writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof VaultError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new VaultError(text, `cannot be read (${String(code)})`);
  }
  try {
    return readWhole(text, file);
  } finally {
    closeSync(file);
  }
}

function readWhole(text: string, file: number): string | null {
  const stats = fstatSync(file);
  if (!stats.isFile()) return null;
  if (stats.size > MAX_BYTES) throw new VaultError(text, 'is larger than 1 MiB');
  const bytes = Buffer.alloc(MAX_BYTES);
  let length = 0;
  for (let count = -1; count !== 0 && length < MAX_BYTES; length += count) {
    count = readSync(file, bytes, length, MAX_BYTES - length, null);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
  } catch {
    throw new VaultError(text, 'is not UTF-8');
  }
}
