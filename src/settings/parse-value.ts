/**
 * Readers of single values in kong.conf's and nginx's notation. Each takes the trimmed, non-empty text and returns the
 * typed value or throws `InvalidValue`, whose message continues "NAME: ".
 */
import { availableParallelism } from 'node:os';
import { accessSync, constants, statSync } from '../lib/node-fs.ts';
import { isUuid } from '../entities/schema/string-check.ts';
import { ipFamily } from '../lib/is-ip.ts';

export class InvalidValue extends Error {}

export type ValueParser<T> = (text: string) => T;

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };
const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
/** Longest timer that Node can arm: 2^31-1 ms, 24.8 days. */
const MAX_TIME = 0x7fffffff;

export function text(value: string): string {
  return value;
}

/** Kong takes `on` and `true` for true and anything else, even `yes`, for false: here anything else is an error. */
export function boolean(value: string): boolean {
  if (value === 'on' || value === 'true') return true;
  if (value === 'off' || value === 'false') return false;
  throw new InvalidValue(`'${value}' is not one of: on, off, true, false`);
}

export function uuid(value: string): string {
  if (isUuid(value)) return value;
  throw new InvalidValue(`'${String(value)}' is not a UUID`);
}

export function oneOf<const T extends string>(...choices: readonly T[]): ValueParser<T> {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new InvalidValue(`'${value}' is not one of: ${choices.join(', ')}`);
    return found;
  };
}

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): ValueParser<number> {
  return (value) => {
    const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) {
      const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      throw new InvalidValue(`'${value}' is not a whole number ${range}`);
    }
    return number;
  };
}

/** Seconds, with a fraction if need be (Kong's `number`). */
export function seconds(value: string): number {
  const number = /^\d{1,10}(\.\d{1,6})?$/.test(value) ? Number(value) : Number.NaN;
  if (!(number * 1000 <= MAX_TIME)) {
    throw new InvalidValue(`'${value}' is not a number of seconds from 0 to 2147483`);
  }
  return number;
}

/** nginx's sizes: bytes, or with `k`, `m`, `g`. */
export function size(min: number, max: number = Number.MAX_SAFE_INTEGER): ValueParser<number> {
  return (value) => {
    const match = /^(\d{1,15})([kmg]?)$/i.exec(value);
    const bytes =
      Number(match?.[1] ?? Number.NaN) * (SIZE_UNITS[match?.[2]?.toLowerCase() ?? ''] ?? Number.NaN);
    if (!Number.isSafeInteger(bytes)) {
      throw new InvalidValue(`'${value}' is not a size such as 512, 8k, 10m or 1g`);
    }
    if (bytes < min || bytes > max) {
      throw new InvalidValue(`'${value}' is not within ${formatSize(min)} and ${formatSize(max)}`);
    }
    return bytes;
  };
}

export function formatSize(bytes: number): string {
  for (const [unit, factor] of [
    ['g', 1024 ** 3],
    ['m', 1024 ** 2],
    ['k', 1024],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

/** nginx's times, in milliseconds: `60` is seconds, `75s`, `500ms`, `1h 30m`. nginx's `M` and `y` exceed every timer. */
export function time(value: string): number {
  const bad = (): InvalidValue =>
    new InvalidValue(`'${value}' is not a time such as 60s, 500ms or 1h, up to 24d`);
  if (!/^\d{1,12}(ms|[smhdw])?(\s*\d{1,12}(ms|[smhdw]))*$/.test(value)) throw bad();
  let total = 0;
  for (const [, digits, unit] of value.matchAll(/(\d+)(ms|[smhdw])?/g)) {
    total += Number(digits) * (TIME_UNITS[unit ?? 's'] ?? Number.NaN);
  }
  if (!(total <= MAX_TIME)) throw bad();
  return total;
}

/** nginx's `number size`, as in `large_client_header_buffers 4 8k`. */
export function buffers(value: string): { readonly number: number; readonly size: number } {
  const parts = value.split(/\s+/);
  if (parts.length !== 2) throw new InvalidValue(`'${value}' is not a number and a size such as 4 8k`);
  return { number: integer(1, 1024)(parts[0] ?? ''), size: size(256, 2 ** 24)(parts[1] ?? '') };
}

/** Comma-separated list, each item read by `item`. Empty items are skipped, as Kong does. */
export function list<T>(item: ValueParser<T>): ValueParser<readonly T[]> {
  return (value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .map((part) => item(part));
}

/**
 * `auto` or a count; `auto` is the number of cores that this process may use. Only Linux spreads the connections of one
 * port over several listeners (SO_REUSEPORT): elsewhere there is one worker.
 */
export function workers(value: string, platform: NodeJS.Platform = process.platform): number {
  const shared = platform === 'linux';
  if (value === 'auto') return shared ? availableParallelism() : 1;
  const count = integer(1, 1024)(value);
  if (count > 1 && !shared) throw new InvalidValue(`${count}: on ${platform} one worker can listen`);
  return count;
}

/** `80:8000, 443:8443` (public port : listener port), as a map from the listener's port to the public one. */
export function portMaps(value: string): Readonly<Record<number, number>> {
  const result: Record<number, number> = {};
  for (const entry of list(text)(value)) {
    const match = /^(\d{1,5}):(\d{1,5})$/.exec(entry);
    const outer = Number(match?.[1]);
    const inner = Number(match?.[2]);
    if (!(outer >= 1 && outer <= 65535 && inner >= 1 && inner <= 65535)) {
      throw new InvalidValue(`'${entry}' is not of the form PUBLIC_PORT:LISTENER_PORT`);
    }
    result[inner] = outer;
  }
  return result;
}

/** Also `unix:`, the peers on unix sockets. */
export function ipOrCidr(value: string): string {
  if (value === 'unix:') return value;
  const [address = '', bits, rest] = value.split('/');
  const family = ipFamily(address);
  const wide = family === 4 ? 32 : 128;
  const goodBits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= wide);
  if (family === 0 || !goodBits || rest !== undefined) {
    throw new InvalidValue(`'${value}' is not an IP address or CIDR block`);
  }
  return value;
}

/** A name server: `10.0.0.2`, `10.0.0.2:53`, `[::1]:53`, `::1`. */
export function nameServer(value: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(value);
  const address = match === null ? value : (match[1] ?? match[2] ?? '');
  const bracketed = match?.[1] !== undefined;
  const good = match === null || bracketed ? ipFamily(address) === 6 : ipFamily(address) === 4;
  if (!good || Number(match?.[3] ?? 53) > 65535 || Number(match?.[3] ?? 53) === 0) {
    throw new InvalidValue(`'${value}' is not an address of a name server such as 10.0.0.2 or [::1]:53`);
  }
  return value;
}

export function headerName(value: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(value)) throw new InvalidValue(`'${value}' is not a header name`);
  return value;
}

/** A file that must be readable when the settings are read. */
export function readableFile(value: string): string {
  try {
    accessSync(value, constants.R_OK);
    if (statSync(value).isFile()) return value;
  } catch (error) {
    throw new InvalidValue(
      `cannot read '${value}': ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  throw new InvalidValue(`'${value}' is not a file`);
}

/** Where a log goes: a path, `/dev/stdout`, `/dev/stderr` or `off`; Kong's format name after the path is the only one. */
export function logTarget(value: string): string {
  const [path = '', format, rest] = value.split(/\s+/);
  if (/^(syslog|memory):/.test(path))
    throw new InvalidValue(`'${value}': only files, /dev/stdout, /dev/stderr and off`);
  if (rest !== undefined || (format !== undefined && format !== 'kong_log_format')) {
    throw new InvalidValue(`'${value}': a log format or level after the path is not supported`);
  }
  return path;
}

/** For the tokens of Kong's `headers`: which header names (lower case) a token stands for. */
export function headerTokens(
  tokens: Readonly<Record<string, readonly string[]>>,
): ValueParser<ReadonlySet<string>> {
  return (value) => {
    const items = list((item) => item.toLowerCase())(value);
    if (items.includes('off')) {
      if (items.length === 1) return new Set();
      throw new InvalidValue(`'off' cannot stand beside other names`);
    }
    const unknown = items.find((item) => !Object.hasOwn(tokens, item));
    if (unknown !== undefined) {
      throw new InvalidValue(`'${unknown}' is not one of: ${Object.keys(tokens).join(', ')}, off`);
    }
    return new Set(items.flatMap((item) => tokens[item] ?? []));
  };
}
