/**
 * Whether a chain of certificates leads to one of a plugin's authorities, and what the certificate says of its holder.
 *
 * A verdict costs a few signatures, so it is kept: by a key that stands for the whole chain, as long as the authorities are
 * the same, the certificates of the chain are in their time, and `cache_ttl` says. Bounded, in two halves.
 */
import { type ChainResult, type Link, readLink, verifyClientChain } from '../../lib/x509/chain.ts';
import type { Step } from './revocation.ts';
import { alternativeNames, commonName, distinguishedName, fingerprint } from '../../lib/x509/subject.ts';

export interface Holder {
  /** Alternative names in the order of the certificate, then the common name; each once. */
  readonly names: readonly string[];
  readonly commonName: string | null;
  readonly distinguishedName: string;
  readonly alternativeNames: readonly string[];
  readonly fingerprint: string;
  /** Ids of the trusted authorities that the way to one of them leads over. */
  readonly authorities: readonly string[];
}

export type Verdict =
  /** `steps`: the certificates of the way that are trusted only for their issuer's sake, leaf first. */
  | { readonly ok: true; readonly holder: Holder; readonly steps: readonly Step[] }
  | { readonly ok: false; readonly reason: string };

interface Kept {
  readonly verdict: Verdict;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export interface JudgeOptions {
  /** PEM of each authority; null: there is none of that id. */
  readonly authority: (id: string) => string | null;
  readonly ids: readonly string[];
  readonly allowPartial: boolean;
  readonly ttlMs: number;
}

const HALF = 1024;

export class CertificateJudge {
  readonly #options: JudgeOptions;
  #texts: ReadonlyArray<string | null> = [];
  /** Trusted authorities that there are, with their ids. */
  #ids: ReadonlyMap<Link, string> = new Map();
  #young = new Map<string, Kept>();
  #old = new Map<string, Kept>();

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** @param key a digest of the chain. @param chain leaf first, in DER; called only when the verdict is not known. */
  judge(key: string, chain: () => readonly Buffer[]): Verdict {
    this.#refresh();
    const now = Date.now();
    const kept = this.#young.get(key) ?? this.#old.get(key);
    if (kept !== undefined && now < kept.until) return kept.verdict;
    const result = verifyClientChain(chain(), [...this.#ids.keys()], {
      now,
      allowPartial: this.#options.allowPartial,
    });
    const verdict = verdictOf(result, (link) => this.#ids.get(link));
    const end = now + this.#options.ttlMs;
    this.#keep(key, { verdict, until: result.ok ? Math.min(end, result.until) : end });
    return verdict;
  }

  #keep(key: string, kept: Kept): void {
    if (this.#young.size >= HALF) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, kept);
  }

  /** Authorities change without the plugin. */
  #refresh(): void {
    const { ids, authority } = this.#options;
    const known = this.#texts;
    if (known.length === ids.length && ids.every((id, at) => authority(id) === known[at])) return;
    this.#texts = ids.map(authority);
    const links = ids.flatMap((id, at) => {
      const text = this.#texts[at];
      return typeof text === 'string' ? [[readLink(text), id] as const] : [];
    });
    this.#ids = new Map(links);
    this.#young = new Map();
    this.#old = new Map();
  }
}

function verdictOf(result: ChainResult, idOf: (link: Link) => string | undefined): Verdict {
  if (!result.ok) return result;
  const { certificate, parts } = result.way[0];
  try {
    const alternative = alternativeNames(parts);
    const common = commonName(parts);
    const names = new Set(common === null ? alternative : [...alternative, common]);
    names.delete('');
    const holder = {
      names: [...names],
      commonName: common,
      distinguishedName: distinguishedName(parts),
      alternativeNames: alternative,
      fingerprint: fingerprint(certificate.raw),
      authorities: result.way.flatMap((link) => idOf(link) ?? []),
    };
    return { ok: true, holder, steps: stepsOf(result.way, idOf) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

function stepsOf(way: readonly Link[], idOf: (link: Link) => string | undefined): Step[] {
  return way.flatMap((subject, at) => {
    const issuer = way[at + 1];
    return issuer === undefined || idOf(subject) !== undefined ? [] : [{ subject, issuer }];
  });
}
