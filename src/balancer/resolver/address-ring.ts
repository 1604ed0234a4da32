/**
 * The addresses of a name and whose turn it is.
 *
 * Equal weights take turns; unequal ones by smooth weighted round robin (each turn every address gains its weight, the
 * richest is taken and pays the sum), which spreads the heavy address between the others. A refresh that brings the
 * same addresses keeps the ring and its turn.
 */
import type { ResolvedAddress, ResolvedName } from './resolver.ts';

export class AddressRing implements ResolvedName {
  readonly addresses: readonly ResolvedAddress[];
  expiresAt: number;
  readonly #credit: Float64Array | null;
  readonly #total: number;
  #turn: number;

  /** @param start the index that comes first; workers start at different ones so that they do not move in step. */
  constructor(addresses: readonly ResolvedAddress[], expiresAt: number, start: number) {
    this.addresses = addresses;
    this.expiresAt = expiresAt;
    this.#turn = start % addresses.length;
    const equal = addresses.every((address) => address.weight === addresses[0]!.weight);
    this.#credit = equal ? null : new Float64Array(addresses.length);
    this.#total = addresses.reduce((sum, address) => sum + address.weight, 0);
  }

  next(): ResolvedAddress {
    if (this.#credit !== null) return this.#nextByWeight(this.#credit);
    const turn = this.#turn;
    this.#turn = turn + 1 === this.addresses.length ? 0 : turn + 1;
    return this.addresses[turn]!;
  }

  #nextByWeight(credit: Float64Array): ResolvedAddress {
    let best = 0;
    for (let i = 0; i < credit.length; i++) {
      credit[i]! += this.addresses[i]!.weight;
      if (credit[i]! > credit[best]!) best = i;
    }
    credit[best]! -= this.#total;
    return this.addresses[best]!;
  }

  /** Are these the ring's addresses, in the same order? */
  holds(addresses: readonly ResolvedAddress[]): boolean {
    return (
      addresses.length === this.addresses.length &&
      addresses.every((address, i) => {
        const own = this.addresses[i]!;
        return (
          address.ip === own.ip &&
          address.port === own.port &&
          address.weight === own.weight &&
          address.name === own.name
        );
      })
    );
  }
}
