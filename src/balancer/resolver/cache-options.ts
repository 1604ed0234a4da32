/** What the cache of names is made with, and who hears of it. */
import type { HostsFile } from './hosts-file.ts';
import type { NameEntry } from './name-entry.ts';

/** What is read of a hosts file. */
export type Hosts = Pick<HostsFile, 'find' | 'refresh'>;

export interface CacheOptions {
  /** Seconds. */
  readonly staleTtl: number;
  readonly notFoundTtl: number;
  readonly errorTtl: number;
  /** Names kept at most, and lookups under way at most. */
  readonly size: number;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly warn: (line: string) => void;
  /** Past its TTL, not before, a use starts a refresh. */
  readonly late?: boolean;
}

/** Hears what becomes of names. */
export interface NameObserver {
  /** There is an answer, or a failure: its times are others now. */
  settled(entry: NameEntry): void;
  /** It is forgotten. */
  dropped(entry: NameEntry): void;
  /** A thread has used it lately. */
  inUse(entry: NameEntry): boolean;
}
