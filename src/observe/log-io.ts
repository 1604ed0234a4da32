/** The system's calls on the files of logs: paths, standard output and standard error. */
import { close, constants, fstatSync, openSync, write } from '../lib/node-fs.ts';
import { dirname } from 'node:path';
import { makeFolder } from '../lib/make-folder.ts';

/** The calls to the system, replaceable for tests of stalls and full disks. */
export interface LogIo {
  open(path: string): number;
  write(
    fd: number,
    bytes: Buffer,
    offset: number,
    length: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void;
  close(fd: number, done: () => void): void;
}

/** What cannot be looked at is none. */
export function isRegularFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

export const systemIo: LogIo = {
  open(path) {
    const standard = path === '/dev/stdout' ? 1 : path === '/dev/stderr' ? 2 : undefined;
    const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
    // A path may name a pipe (or link to /dev/stdout), whose reader may stall. To a file it means nothing.
    const flags = O_WRONLY | O_APPEND | O_NONBLOCK;
    if (standard === undefined) {
      makeFolder(dirname(path));
      return openSync(path, flags | O_CREAT, 0o644);
    }
    try {
      // A description of our own, so that O_NONBLOCK holds for this log alone and not for whoever shares the terminal.
      return openSync(path, flags);
    } catch {
      // A socket (systemd's journal) cannot be opened by path, nor another user's terminal.
      return standard;
    }
  },
  write(fd, bytes, offset, length, done) {
    write(fd, bytes, offset, length, null, done);
  },
  close(fd, done) {
    close(fd, () => done());
  },
};
