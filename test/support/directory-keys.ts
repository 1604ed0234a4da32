/** What the threads of the concurrency test agree on. */
import type { DirectoryKind } from '../../src/zone/directory/row-kind.ts';

export interface KeyRow {
  readonly id: string;
  readonly consumer: { readonly id: string };
  readonly key: string;
  readonly version: number;
  readonly text: string;
}

export const KINDS: readonly DirectoryKind[] = [
  {
    name: 'keys',
    fields: ['id', 'consumer', 'key', 'version', 'text'],
    uniques: ['key'],
    owner: 'consumer',
    ttl: false,
  },
];
export const KEYS = 3000;
/** These are changed, but not removed, and keep their owner. */
export const STABLE = 100;
export const OWNERS = 5;

export function uuid(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

export function ownerOf(n: number, version: number): number {
  return 1_000_000 + (n < STABLE ? n % OWNERS : (n + version) % OWNERS);
}

/** Of a length that depends on both, so that rows take other rows' places. */
export function textOf(n: number, version: number): string {
  return `${n}/${version};`.repeat(1 + ((n * 7 + version * 13) % 40));
}

export function rowOf(n: number, version: number): KeyRow {
  return {
    id: uuid(n),
    consumer: { id: uuid(ownerOf(n, version)) },
    key: `key ${n}`,
    version,
    text: textOf(n, version),
  };
}
