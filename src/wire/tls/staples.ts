/**
 * OCSP responses for certificates in use, fetched ahead and sent along in handshakes (stapling, RFC 6066 §8). A handshake
 * never waits: as long as there is no response, or none that still holds, it goes without one.
 *
 * A certificate is asked for from the first handshake on (the default one at once), again at half of what its response
 * has left, and no more when its context is gone. Bounded: what a responder may send, how long it may take, how many are
 * asked at once.
 */
import { X509Certificate } from 'node:crypto';
import type { Server } from 'node:tls';
import { type StapleSource, judgeStaple, stapleSource } from '../../lib/x509/ocsp.ts';
import type { KeyPair } from './server-material.ts';

export interface StaplesOptions {
  /** A sentence for the log. */
  readonly onProblem: (message: string) => void;
  /** DER → DER. @throws Error */
  readonly ask?: (url: string, request: Buffer) => Promise<Buffer>;
}

interface Staple {
  readonly name: string;
  readonly source: StapleSource;
  /** Contexts that staple it. */
  readonly users: Set<WeakRef<Server>>;
  response: Buffer | null;
  until: number;
  timer: NodeJS.Timeout | null;
}

const MINUTE_MS = 60_000;
/** nginx's figures: an hour at most, five minutes after a failure. */
const LONGEST_MS = 60 * MINUTE_MS;
const FAILURE_MS = 5 * MINUTE_MS;
const TIMEOUT_MS = 10_000;
const MAX_RESPONSE = 64 * 1024;
const MAX_AT_ONCE = 4;
const MAX_STAPLES = 2000;

export class Staples {
  readonly #options: StaplesOptions;
  readonly #ask: NonNullable<StaplesOptions['ask']>;
  /** By the certificate's fingerprint. */
  readonly #staples = new Map<string, Staple>();
  readonly #waiting: Staple[] = [];
  #asking = 0;
  #closed = false;

  constructor(options: StaplesOptions) {
    this.#options = options;
    this.#ask = options.ask ?? askResponder;
  }

  /** @param always also without the certificate's demand (`ssl_stapling`). */
  attach(server: Server, pairs: readonly KeyPair[], always: boolean): void {
    const [pair, other] = pairs;
    if (pair === undefined) return;
    const source = stapleSource(pair.cert);
    if (source === null || (typeof source === 'object' && !source.demanded && !always)) return;
    const certificate = new X509Certificate(pair.cert);
    const problem = typeof source === 'string' ? source : other === undefined ? null : PAIR;
    if (problem !== null || typeof source === 'string') {
      this.#options.onProblem(`no OCSP stapling for ${nameOf(certificate)}: ${String(problem)}`);
      return;
    }
    const staple = this.#stapleOf(certificate, source);
    staple?.users.add(new WeakRef(server));
    server.on('OCSPRequest', (_certificate, _issuer, answer) => {
      const fresh = staple !== null && staple.until > Date.now();
      answer(null, fresh ? staple.response : null);
    });
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#staples.values()) if (timer !== null) clearTimeout(timer);
    this.#staples.clear();
  }

  /** Null: there are too many. */
  #stapleOf(certificate: X509Certificate, source: StapleSource): Staple | null {
    const key = certificate.fingerprint256;
    const known = this.#staples.get(key);
    if (known !== undefined) return known;
    if (this.#staples.size >= MAX_STAPLES) return null;
    const name = nameOf(certificate);
    const staple: Staple = { name, source, users: new Set(), response: null, until: 0, timer: null };
    this.#staples.set(key, staple);
    this.#enqueue(staple);
    return staple;
  }

  #enqueue(staple: Staple): void {
    this.#waiting.push(staple);
    if (this.#asking < MAX_AT_ONCE) void this.#work();
  }

  async #work(): Promise<void> {
    this.#asking++;
    for (let staple = this.#waiting.shift(); staple !== undefined; staple = this.#waiting.shift()) {
      const wait = await this.#renew(staple);
      if (!this.#closed) this.#later(staple, wait);
    }
    this.#asking--;
  }

  /** Answers the milliseconds until it is to be asked for again. */
  async #renew(staple: Staple): Promise<number> {
    const { url, request, serial } = staple.source;
    let problem: string;
    try {
      const response = await this.#ask(url, request);
      const now = Date.now();
      const until = judgeStaple(response, serial, now);
      if (typeof until === 'number') {
        staple.response = response;
        staple.until = until;
        return Math.min(Math.max((until - now) / 2, MINUTE_MS), LONGEST_MS);
      }
      problem = until;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (!this.#closed) this.#options.onProblem(`OCSP of ${staple.name} from ${url}: ${problem}`);
    return FAILURE_MS;
  }

  #later(staple: Staple, wait: number): void {
    staple.timer = setTimeout(() => {
      for (const user of staple.users) if (user.deref() === undefined) staple.users.delete(user);
      if (staple.users.size > 0) return this.#enqueue(staple);
      for (const [key, one] of this.#staples) if (one === staple) this.#staples.delete(key);
    }, wait);
    staple.timer.unref();
  }
}

/** Which of the two a client gets is known to OpenSSL alone, when it is too late to choose the response. */
const PAIR = 'it is one of a pair (RSA and ECDSA)';

function nameOf({ subject, serialNumber }: X509Certificate): string {
  return `${(subject ?? '').replaceAll('\n', ', ')} (serial ${serialNumber})`;
}

function askResponder(url: string, request: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  // Not imported: see decision 15.
  const http = process.getBuiltinModule('node:http');
  const asked = http.request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/ocsp-request', 'content-length': request.length },
    agent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  asked.on('error', reject);
  asked.on('response', (answer) => {
    const chunks: Buffer[] = [];
    let length = 0;
    answer.on('error', reject);
    answer.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_RESPONSE) asked.destroy(new Error('the response is too long'));
      else chunks.push(chunk);
    });
    answer.on('end', () => {
      if (answer.statusCode === 200) resolve(Buffer.concat(chunks));
      else reject(new Error(`the responder answered with status ${answer.statusCode}`));
    });
  });
  asked.end(request);
  return promise;
}
