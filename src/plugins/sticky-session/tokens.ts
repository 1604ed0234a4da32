/**
 * The names under which clients know targets: an HMAC over the upstream's id and the target's address, by a key that is made
 * of the secret. Nobody reads an address out of one, nor makes one up; whoever has the secret and the same configuration,
 * every worker and every node, knows the same names. A name that is none, whatever it looks like, is looked up and not found.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import type { Balancer } from '../../balancer/balancer.ts';
import type { BalancerTarget } from '../../balancer/target.ts';

/** 128 bits in base64url. */
const TOKEN = /^[\w-]{22}$/;
const TOKEN_BYTES = 16;
/** Names that are kept beyond the change of targets. */
const MOST_KEPT = 65_536;

export class Tokens {
  readonly #key: Buffer;
  #kept = new Map<string, string>();
  readonly #indexes = new WeakMap<Balancer, ReadonlyMap<string, number>>();

  constructor(secret: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'sluice sticky-session 1', 32));
  }

  of(balancer: Balancer, { host, port }: BalancerTarget): string {
    const name = `${balancer.id} ${host}:${port}`;
    let token = this.#kept.get(name);
    if (token === undefined) {
      const digest = createHmac('sha256', this.#key).update(name).digest();
      token = digest.subarray(0, TOKEN_BYTES).toString('base64url');
      if (this.#kept.size >= MOST_KEPT) this.#kept = new Map();
      this.#kept.set(name, token);
    }
    return token;
  }

  /** -1: it is none of the targets that take traffic. */
  indexOf(balancer: Balancer, token: string): number {
    if (!TOKEN.test(token)) return -1;
    let indexes = this.#indexes.get(balancer);
    if (indexes === undefined) {
      indexes = new Map(balancer.targets.map((target) => [this.of(balancer, target), target.index]));
      this.#indexes.set(balancer, indexes);
    }
    return indexes.get(token) ?? -1;
  }
}
