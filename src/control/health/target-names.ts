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

  /** @param onAnswer a name that was not known has been looked up. */
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
    const done = (): void => {
      this.#asked.delete(host);
      this.#onAnswer();
    };
    this.#resolver.resolve(host).then(
      ({ addresses }) => {
        this.#known.set(host, addresses);
        done();
      },
      (error: unknown) => {
        // It says that there are none; other failures say nothing.
        const gone = error instanceof DnsError && (error.code === 'name_error' || error.code === 'empty');
        if (gone) this.#known.delete(host);
        done();
      },
    );
  }
}
