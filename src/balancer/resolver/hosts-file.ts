/**
 * The hosts file (`dns_hostsfile`, hosts(5)): read at the start, and again when it has changed.
 *
 * There is no watcher, which editors and containers defeat by replacing the file. Whoever looks a name up calls
 * `refresh` first; that asks for the file's time and size at most every few seconds, and names from the file are cached
 * no longer than that.
 */
import { promisify } from 'node:util';
import { readFile, readFileSync, stat, statSync } from '../../lib/node-fs.ts';
import { ipFamily } from '../../lib/is-ip.ts';

export interface HostAddresses {
  readonly v4: readonly string[];
  readonly v6: readonly string[];
}

/** Seconds between two looks at the file; the TTL of its names. */
export const HOSTS_TTL = 5;
/** Bytes; a larger file is not read. */
const MAX_SIZE = 16 * 2 ** 20;

export class HostsFile {
  readonly #path: string;
  readonly #now: () => number;
  readonly #warn: (line: string) => void;
  #names: ReadonlyMap<string, HostAddresses> = new Map();
  /** What the file looked like when it was last read. */
  #version = '';
  #checkedAt: number;
  #checking: Promise<void> | null = null;

  /** Reads the file now. A file that is not there is an empty one. */
  constructor(path: string, now: () => number, warn: (line: string) => void) {
    this.#path = path;
    this.#now = now;
    this.#warn = warn;
    this.#checkedAt = now();
    try {
      const { mtimeMs, size, ino } = statSync(path);
      this.#take(version(mtimeMs, size, ino), size, () => readFileSync(path, 'utf8'));
    } catch (error) {
      this.#failed(error);
    }
  }

  find(name: string): HostAddresses | undefined {
    return this.#names.get(name);
  }

  /** Reads the file again if it has changed; nothing to wait for when that was looked at a moment ago. */
  refresh(): Promise<void> | undefined {
    if (this.#checking !== null) return this.#checking;
    if (this.#now() - this.#checkedAt < HOSTS_TTL * 1000) return undefined;
    this.#checking = this.#check().finally(() => {
      this.#checking = null;
      this.#checkedAt = this.#now();
    });
    return this.#checking;
  }

  async #check(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await promisify(stat)(this.#path);
      const seen = version(mtimeMs, size, ino);
      if (seen === this.#version) return;
      const text = size > MAX_SIZE ? '' : await promisify(readFile)(this.#path, 'utf8');
      this.#take(seen, size, () => text);
    } catch (error) {
      this.#failed(error);
    }
  }

  #take(seen: string, size: number, read: () => string): void {
    this.#version = seen;
    if (size > MAX_SIZE) this.#warn(`${this.#path} is not read: it has more than ${MAX_SIZE} bytes`);
    this.#names = size > MAX_SIZE ? new Map() : parseHosts(read());
  }

  /** Absent is empty; otherwise what was read before stays. */
  #failed(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const seen = `error ${String(code)}`;
    if (code === 'ENOENT') this.#names = new Map();
    else if (this.#version !== seen) this.#warn(`${this.#path} cannot be read: ${String(error)}`);
    this.#version = seen;
  }
}

function version(mtimeMs: number, size: number, ino: number): string {
  return `${mtimeMs} ${size} ${ino}`;
}

/** Address, then its names; `#` starts a comment; a line without a valid address is skipped. */
export function parseHosts(text: string): ReadonlyMap<string, HostAddresses> {
  const names = new Map<string, { v4: string[]; v6: string[] }>();
  for (const line of text.split('\n')) {
    const [address, ...hosts] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (address === undefined || ipFamily(address) === 0) continue;
    for (const host of hosts) {
      const name = host.toLowerCase();
      const known: { v4: string[]; v6: string[] } = names.get(name) ?? { v4: [], v6: [] };
      names.set(name, known);
      const list: string[] = ipFamily(address) === 4 ? known.v4 : known.v6;
      if (!list.includes(address)) list.push(address);
    }
  }
  return names;
}
