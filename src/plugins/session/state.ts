/** A session: who it stands for, and its times (those of lua-resty-session, which Kong has). */
import { createHash, randomBytes } from 'node:crypto';
import type { Entity } from '../../entities/schema/field.ts';
import type { session } from './schema.ts';

export type SessionConfig = Entity<(typeof session)['config']>;

export interface SessionData {
  readonly consumerId: string;
  readonly credentialId: string;
  /** Collection of the directory that the credential is in; null: in none, as names of a directory server are. */
  readonly credentialKind: string | null;
  readonly groups: readonly string[] | null;
  readonly subject: string;
}

/** Unix seconds. */
export interface SessionTimes {
  readonly created: number;
  /** The cookie was made, or renewed. */
  readonly rolled: number;
  /** The last request that was noted. */
  readonly touched: number;
}

export interface SessionState extends SessionTimes {
  readonly id: string;
  readonly data: SessionData;
}

export interface Timeouts {
  readonly idling: number;
  readonly rolling: number;
  readonly absolute: number;
}

/** Seconds between two notes of requests; and a quarter of the time that a session may idle, if that is less. */
const TOUCH = 60;
const YEAR = 365 * 24 * 3600;

export function timeoutsOf(config: SessionConfig): Timeouts {
  return {
    idling: config.idling_timeout,
    rolling: config.rolling_timeout,
    absolute: config.absolute_timeout,
  };
}

export function rememberTimeouts(config: SessionConfig): Timeouts {
  return {
    idling: 0,
    rolling: config.remember_rolling_timeout,
    absolute: config.remember_absolute_timeout,
  };
}

export function newState(data: SessionData, now: number): SessionState {
  return { id: newId(), created: now, rolled: now, touched: now, data };
}

function newId(): string {
  return randomBytes(24).toString('base64url');
}

export function renewed(state: SessionState, now: number): SessionState {
  return { ...state, id: newId(), rolled: now, touched: now };
}

export function isOver(times: SessionTimes, { idling, rolling, absolute }: Timeouts, now: number): boolean {
  if (absolute > 0 && now - times.created > absolute) return true;
  if (rolling > 0 && now - times.rolled > rolling) return true;
  return idling > 0 && now - times.touched > idling;
}

export function wantsRenewal(times: SessionTimes, { rolling }: Timeouts, now: number): boolean {
  return rolling > 0 && now - times.rolled > Math.floor(rolling * 0.75);
}

export function wantsTouch(times: SessionTimes, { idling }: Timeouts, now: number): boolean {
  return idling > 0 && now - times.touched > Math.min(TOUCH, idling / 4);
}

/** Milliseconds that the store has to keep it. */
export function timeToLive(times: SessionTimes, { rolling, absolute }: Timeouts, now: number): number {
  const left = [
    rolling > 0 ? rolling - (now - times.rolled) : YEAR,
    absolute > 0 ? absolute - (now - times.created) : YEAR,
  ];
  return Math.max(1, Math.ceil(Math.min(YEAR, ...left) * 1000));
}

/** Seconds that are left, by the name of the header; undefined: there is no such end. */
export function leftOf(name: string, times: SessionTimes, timeouts: Timeouts): number | undefined {
  const { idling, rolling, absolute } = timeouts;
  const { created, rolled, touched } = times;
  const ends = {
    'idling-timeout': idling > 0 ? idling : undefined,
    'rolling-timeout': rolling > 0 ? rolling - (touched - rolled) : undefined,
    'absolute-timeout': absolute > 0 ? absolute - (touched - created) : undefined,
  };
  if (name !== 'timeout') return ends[name as keyof typeof ends];
  const all = Object.values(ends).filter((end) => end !== undefined);
  return all.length === 0 ? undefined : Math.min(...all);
}

/** What the store calls it: not the id, which opens it. */
export function recordKey(id: string): string {
  return createHash('sha256').update(id).digest('base64url');
}
