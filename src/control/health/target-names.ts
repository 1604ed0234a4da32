/**
 * The addresses of an upstream's targets: of a name what the name servers say, looked up ahead; an address is its own.
 * What the name servers cannot tell leaves the addresses as they were.
 */
import { ipFamily } from '../../lib/is-ip.ts';
import { DnsError, type ResolvedAddress, type Resolver } from '../../balancer/resolver/resolver.ts';

export class TargetNames {
  readonly #resolver: Resolver;
  readonly #onAnswer: () => void;
  /** Of each name what it was last. */
  readonly #known = new Map<string, readonly ResolvedAddress[]>();
  readonly #asked = new Set<string>();
  #hosts: readonly string[] = [];

  /** @param onAnswer a name that was not known has been looked up, or is not there any more. */
  constructor(resolver: Resolver, onAnswer: () => void) {
    this.#resolver = resolver;
    this.#onAnswer = onAnswer;
  }

  /** From now on these. */
  set hosts(hosts: readonly string[]) {
    this.#hosts = [...new Set(hosts)].filter((host) => ipFamily(host) === 0);
    const wanted = new Set(this.#hosts);
    for (const host of this.#known.keys()) if (!wanted.has(host)) this.#known.delete(host);
  }

  of(host: string): readonly ResolvedAddress[] {
    return ipFamily(host) === 0 ? (this.#known.get(host) ?? []) : [{ ip: host, port: null, weight: 1 }];
  }

  /** @returns a name has other addresses than before. */
  lookUp(): boolean {
    let changed = false;
    for (const host of this.#hosts) {
      const known = this.#resolver.peek(host);
      if (known === null) this.#ask(host);
      else if (known.addresses !== this.#known.get(host)) {
        this.#known.set(host, known.addresses);
        changed = true;
      }
    }
    return changed;
  }

  #ask(host: string): void {
    if (this.#asked.has(host)) return;
    this.#asked.add(host);
    // Each time all addresses of the upstream are gone through: not for a thousand names that are not there, every second.
    const done = (changed: boolean): void => {
      this.#asked.delete(host);
      if (changed) this.#onAnswer();
    };
    this.#resolver.resolve(host).then(
      ({ addresses }) => {
        const changed = this.#known.get(host) !== addresses;
        this.#known.set(host, addresses);
        done(changed);
      },
      (error: unknown) => {
        // It says that there are none; other failures say nothing.
        const gone = error instanceof DnsError && (error.code === 'name_error' || error.code === 'empty');
        done(gone && this.#known.delete(host));
      },
    );
  }
}
