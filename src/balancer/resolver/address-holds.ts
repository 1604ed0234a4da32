/**
 * Which addresses names have, counted over all names of a thread: tells when an address has left the last of them, so
 * that connections to it can be let go. A name without a port of its own (no SRV record) has its address on every port.
 */
import type { ResolvedAddress } from './resolver.ts';

/** @param stays a port of the address that another name still has. */
export type LeaveListener = (ip: string, stays: (port: number) => boolean) => void;

const ANY_PORT = -1;
const NONE: readonly ResolvedAddress[] = [];

export class AddressHolds {
  /** Hears of addresses that have left. */
  listener: LeaveListener | null = null;
  readonly #counts = new Map<string, Map<number, number>>();

  /** A name has these addresses in place of those. */
  replace(before: readonly ResolvedAddress[] | null, after: readonly ResolvedAddress[] | null): void {
    if (before === after) return;
    for (const address of after ?? NONE) this.#add(address, 1);
    for (const address of before ?? NONE) this.#add(address, -1);
    if (this.listener === null) return;
    const told = new Set<string>();
    for (const { ip, port } of before ?? NONE) {
      const key = port ?? ANY_PORT;
      if (told.has(ip) || this.#has(ip, key) || this.#has(ip, ANY_PORT)) continue;
      told.add(ip);
      this.listener(ip, (other) => this.#has(ip, other));
    }
  }

  /** The name is forgotten: nothing is known of its addresses any more, and so none has left. */
  forget(addresses: readonly ResolvedAddress[] | null): void {
    for (const address of addresses ?? NONE) this.#add(address, -1);
  }

  #has(ip: string, port: number): boolean {
    return this.#counts.get(ip)?.has(port) === true;
  }

  #add({ ip, port }: ResolvedAddress, by: number): void {
    let ports = this.#counts.get(ip);
    if (ports === undefined) this.#counts.set(ip, (ports = new Map()));
    const key = port ?? ANY_PORT;
    const count = (ports.get(key) ?? 0) + by;
    if (count > 0) ports.set(key, count);
    else ports.delete(key);
    if (ports.size === 0) this.#counts.delete(ip);
  }
}
