/** Writes a file that only its owner may read, as a whole or not at all: beside it first, then in its place. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { CommandError } from '../command.ts';

const OWNER_ONLY = 0o600;
const CHUNK = 256 * 1024;

/** @throws CommandError when it cannot be written; what `text` throws goes on as it is. */
export function writeWhole(file: string, text: Iterable<string>): void {
  const place = realPlace(file);
  const beside = `${place}.${randomBytes(6).toString('hex')}.tmp`;
  let handle: number;
  try {
    handle = openSync(beside, 'wx', OWNER_ONLY);
  } catch (error) {
    throw new CommandError(`cannot write ${file}: ${messageOf(error)}`);
  }
  try {
    for (const chunk of chunked(text)) writeAll(handle, file, chunk);
    fsyncSync(handle);
    renameSync(beside, place);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
}

/** @throws CommandError when there is such a file. */
export function refuseExisting(file: string): void {
  if (existsSync(file)) throw new CommandError(`${file} already exists: will not overwrite it`);
}

/** @throws CommandError, also when there is such a file. */
export function writeNew(file: string, text: Iterable<string>): void {
  refuseExisting(file);
  writeWhole(file, text);
}

/** Of a symbolic link, the file that it points to is replaced, not the link. */
function realPlace(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

export function* chunked(text: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const part of text) {
    chunk += part;
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

function writeAll(handle: number, file: string, text: string): void {
  const bytes = Buffer.from(text);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(handle, bytes, done);
  } catch (error) {
    throw new CommandError(`cannot write ${file}: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
