import { DnsError } from './resolver.ts';

/** What went wrong on the way, and what that means for the name. */
export class Failures {
  timeoutsInARow = 0;
  readonly #address: DnsError[] = [];
  readonly #other: DnsError[] = [];

  /** @param ofAddress the query was for A or AAAA, whose failures count before those of SRV and CNAME. */
  add(failure: DnsError, ofAddress: boolean): void {
    this.timeoutsInARow = failure.code === 'timeout' ? this.timeoutsInARow + 1 : 0;
    (ofAddress ? this.#address : this.#other).push(failure);
  }

  outcome(): DnsError {
    const all = this.#address.length > 0 ? this.#address : this.#other;
    const unknown = all.find((failure) => failure.code === 'timeout' || failure.code === 'server_failure');
    const outcome = unknown ?? all.find((failure) => failure.code === 'empty') ?? all[0];
    return outcome ?? new DnsError('name_error', 'dns name is too long with every search domain');
  }
}

export function asDnsError(error: unknown): DnsError {
  if (error instanceof DnsError) return error;
  return new DnsError('server_failure', error instanceof Error ? error.message : String(error));
}
