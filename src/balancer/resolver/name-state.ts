/** What the main thread tells workers of a name. Times are of `monotonicMs`, which all threads share. */
import type { NameEntry } from './name-entry.ts';
import { DnsError, type DnsErrorCode, type ResolvedAddress } from './resolver.ts';

export interface NameState {
  readonly host: string;
  /** Null: there are none. */
  readonly addresses: readonly ResolvedAddress[] | null;
  /** End of the TTL. */
  readonly expiresAt: number;
  /** They serve without a question until here. */
  readonly peekUntil: number;
  /** Why there are none, and until when that is to be believed. */
  readonly error: { readonly code: DnsErrorCode; readonly message: string } | null;
  readonly retryAt: number;
  /** Where it is noted that a worker uses it. */
  readonly slot: number;
}

export function stateOf({ host, ring, peekUntil, error, retryAt, slot }: NameEntry): NameState {
  if (ring !== null) {
    const { addresses, expiresAt } = ring;
    return { host, addresses, expiresAt, peekUntil, error: null, retryAt: 0, slot };
  }
  const why = error === null ? UNKNOWN : { code: error.code, message: error.message };
  return { host, addresses: null, expiresAt: 0, peekUntil: 0, error: why, retryAt, slot };
}

/** A name that could not even be looked up. */
export function failedState(host: string, error: unknown): NameState {
  const code = error instanceof DnsError ? error.code : 'server_failure';
  const message = error instanceof Error ? error.message : String(error);
  const why = { code, message };
  return { host, addresses: null, expiresAt: 0, peekUntil: 0, error: why, retryAt: 0, slot: 0 };
}

const UNKNOWN: NameState['error'] = { code: 'server_failure', message: 'dns server failure' };
