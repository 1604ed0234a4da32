/**
 * Whether certificates have been revoked: by OCSP where a certificate names a responder, else (or if that does not help) by
 * the lists that it names. Asked only of a chain that leads to a trusted authority, so that nobody else chooses URLs.
 *
 * Answers are kept for `cert_cache_ttl`, at most until they say that they end; one that cannot be renewed is good until
 * then. Lists are kept for all certificates of their issuer. What is being asked is asked once for all who wait, and a
 * failure is kept for a few seconds, so that a responder that is away is not asked by each request.
 *
 * A signed "unknown" is taken as revoked: the issuer does not know what it is said to have signed.
 */
import type { Link } from '../../lib/x509/chain.ts';
import { readOcspAnswer } from '../../lib/x509/ocsp-answer.ts';
import { requestFor } from '../../lib/x509/ocsp.ts';
import { readRevocationList, type RevocationList, serialOf } from '../../lib/x509/revocation-list.ts';
import { listUrls, ocspUrls, type Parts, partsOf } from '../../lib/x509/tbs.ts';
import type { PluginServices } from '../kit/services.ts';
import { Renewed } from './renewed.ts';

export interface RevocationConfig {
  readonly revocation_check_mode: 'SKIP' | 'IGNORE_CA_ERROR' | 'STRICT';
  /** Milliseconds. */
  readonly http_timeout: number;
  readonly cert_cache_ttl: number;
}

/** A certificate, and that of its issuer. */
export interface Step {
  readonly subject: Link;
  readonly issuer: Link;
}

/** What of the gateway is used. */
export type Source = Pick<PluginServices, 'fetch' | 'log'>;

/** Whether it was revoked; a text: why that cannot be said. */
type Finding = boolean | { readonly unsure: string };

const MOST_ANSWERS = 5000;
const MOST_LISTS = 50;
const LARGEST_ANSWER = 64 * 1024;
const LARGEST_LIST = 4 * 1024 * 1024;

export class Revocation {
  readonly #config: RevocationConfig;
  readonly #source: Source;
  readonly #answers: Renewed<'good' | 'revoked' | 'unknown'>;
  readonly #lists: Renewed<RevocationList>;

  constructor(config: RevocationConfig, source: Source) {
    this.#config = config;
    this.#source = source;
    this.#answers = new Renewed(MOST_ANSWERS, config.cert_cache_ttl);
    this.#lists = new Renewed(MOST_LISTS, config.cert_cache_ttl);
  }

  /** @returns null: nothing is against it; or why it is not let in. Without a promise where the answers are known. */
  check(steps: readonly Step[]): string | null | Promise<string | null> {
    for (const [at, step] of steps.entries()) {
      const finding = this.#finding(step);
      if (finding instanceof Promise) {
        return finding.then((found) => this.#problem(found) ?? this.check(steps.slice(at + 1)));
      }
      const problem = this.#problem(finding);
      if (problem !== null) return problem;
    }
    return null;
  }

  #problem(finding: Finding): string | null {
    if (finding === true) return 'the certificate is revoked';
    if (finding === false || this.#config.revocation_check_mode !== 'STRICT') return null;
    return `whether it is revoked is not known: ${finding.unsure}`;
  }

  #finding({ subject, issuer }: Step): Finding | Promise<Finding> {
    const asked = { ...this.#placesOf(subject), subject, issuer };
    const ocsp = this.#byOcsp(asked);
    const next = (found: Finding): Finding | Promise<Finding> =>
      typeof found === 'boolean' || asked.lists.length === 0 ? found : this.#byLists(asked, found.unsure);
    return ocsp instanceof Promise ? ocsp.then(next) : next(ocsp);
  }

  /** Read once for each certificate that is remembered with its verdict. */
  #placesOf(subject: Link): Places {
    let places = known.get(subject);
    if (places === undefined) {
      const parts = partsOf(subject.certificate.raw);
      places = { parts, responders: ocspUrls(parts), lists: listUrls(parts) };
      known.set(subject, places);
    }
    return places;
  }

  #byOcsp(asked: Asked): Finding | Promise<Finding> {
    if (asked.responders.length === 0) {
      return { unsure: 'the certificate names neither a responder nor a list' };
    }
    const key = `${asked.issuer.certificate.fingerprint256} ${serialOf(asked.parts.serial)}`;
    const answer = this.#answers.get(key, () => this.#askResponders(asked));
    const finding = (found: Awaited<typeof answer>): Finding => {
      if (typeof found === 'object') return found;
      return found !== 'good';
    };
    return answer instanceof Promise ? answer.then(finding) : finding(answer);
  }

  async #askResponders(asked: Asked): Promise<Known<'good' | 'revoked' | 'unknown'>> {
    const issuerParts = partsOf(asked.issuer.certificate.raw);
    const { serial, issuer } = asked.parts;
    const body = requestFor(serial, issuer, issuerParts.key);
    return await this.#first(asked.responders, async (url) => {
      const headers = { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' };
      const options = { method: 'POST', headers, body, idempotent: true, maxBytes: LARGEST_ANSWER };
      const bytes = await this.#fetch(url, options);
      const answer = await readOcspAnswer(bytes, { serial, issuer: asked.issuer, issuerParts }, Date.now());
      return typeof answer === 'string' ? answer : { value: answer.status, until: answer.until ?? Infinity };
    });
  }

  async #byLists(asked: Asked, why: string): Promise<Finding> {
    const { lists, parts, subject, issuer } = asked;
    let unsure = why;
    for (const url of lists) {
      const key = `${issuer.certificate.fingerprint256} ${url}`;
      const list = await this.#lists.get(key, () => this.#fetchList(url, issuer, parts.issuer));
      if ('unsure' in list) ({ unsure } = list);
      else if (list.only !== null && (list.only === 'authorities') !== subject.certificate.ca) {
        unsure = 'the list is not about certificates of its kind';
      } else return list.revoked.has(serialOf(parts.serial));
    }
    return { unsure };
  }

  #fetchList(url: string, issuer: Link, name: Buffer): Promise<Known<RevocationList>> {
    return this.#first([url], async () => {
      const bytes = await this.#fetch(url, { maxBytes: LARGEST_LIST });
      const list = await readRevocationList(bytes, issuer, name, Date.now());
      return typeof list === 'string' ? list : { value: list, until: list.until };
    });
  }

  /** What the first of them answers that helps. @throws Error with what was wrong with the last */
  async #first<T>(
    urls: readonly string[],
    ask: (url: string) => Promise<Known<T> | string>,
  ): Promise<Known<T>> {
    let wrong = '';
    for (const url of urls) {
      const found = await ask(url).catch((error: unknown) => textOf(error));
      if (typeof found !== 'string') return found;
      wrong = found;
      this.#source.log.warn(`revocation, ${new URL(url).origin}: ${found}`);
    }
    throw new Error(wrong);
  }

  async #fetch(url: string, options: Parameters<Source['fetch']>[1]): Promise<Buffer> {
    const { status, body } = await this.#source.fetch(url, {
      timeoutMs: this.#config.http_timeout,
      ...options,
    });
    if (status !== 200) throw new Error(`status ${status}`);
    return body;
  }
}

interface Known<T> {
  readonly value: T;
  /** Milliseconds since 1970. */
  readonly until: number;
}

interface Places {
  readonly parts: Parts;
  readonly responders: readonly string[];
  readonly lists: readonly string[];
}

type Asked = Places & Step;

const known = new WeakMap<Link, Places>();

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
