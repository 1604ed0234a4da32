/**
 * Where the gateway keeps its files when `prefix` is not set: `/usr/local/sluice` for root and for whoever may write
 * there (a container, a package's service user), else `~/.sluice`, so that a newcomer's first start needs no rights.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { accessSync, constants } from '../lib/node-fs.ts';

const SYSTEM_PREFIX = '/usr/local/sluice';

export interface PrefixProbe {
  readonly isRoot: boolean;
  readonly isWritable: (path: string) => boolean;
  readonly home: string;
}

export function defaultPrefix(probe: PrefixProbe = systemProbe()): string {
  if (probe.isRoot || probe.isWritable(SYSTEM_PREFIX)) return SYSTEM_PREFIX;
  return join(probe.home, '.sluice');
}

function systemProbe(): PrefixProbe {
  return {
    isRoot: process.getuid?.() === 0,
    home: homedir(),
    isWritable(path) {
      try {
        accessSync(path, constants.W_OK | constants.X_OK);
        return true;
      } catch {
        return false;
      }
    },
  };
}
