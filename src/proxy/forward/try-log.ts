/** The tries of a request, for logs: Kong's `tries`. Made for those that did not answer the client. */
import { performance } from 'node:perf_hooks';
import type { TryRecord } from '../../plugins/kit/tries.ts';
import type { Attempt } from './attempt.ts';

/** A request that is tried more often than this forgets the rest. */
const MOST = 100;

export class TryLog {
  readonly #records: TryRecord[] = [];

  add(attempt: Attempt, state: TryRecord['state'], code: number | null): void {
    if (this.#records.length < MOST) this.#records.push(recordOf(attempt, state, code));
  }

  /** @param last the one that is under way, or answered; null: none. */
  all(last: Attempt | null): readonly TryRecord[] {
    return last === null ? this.#records : [...this.#records, recordOf(last, null, null)];
  }
}

export function recordOf(
  { place, startedAt }: Attempt,
  state: TryRecord['state'],
  code: number | null,
): TryRecord {
  return { ip: place.peer.ip, port: place.port, startedAt: performance.timeOrigin + startedAt, state, code };
}
