/**
 * The `certificate` phase: plugins for everything may choose the certificate of a handshake. Without such a plugin a handshake
 * pays one comparison.
 *
 * What a plugin hands over is kept by its content, so that its `tls.Server` is made once, and bounded.
 */
import { createHash } from 'node:crypto';
import type { Certificate } from '../../entities/certificate.ts';
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts';
import type { CertificateExchange } from '../../plugins/kit/exchange.ts';
import type { With } from '../../plugins/engine/plan.ts';
import { causeText } from './error.ts';

const KEPT = 1000;

export type CertificateSteps = ReadonlyArray<With<'certificate'>>;

/** Whose handshake it is. */
export interface HandshakeFacts {
  readonly serverName: string;
  readonly client: { readonly ip: string; readonly port: number };
}

export class CertificateFilters {
  readonly #wheel: TimerWheel;
  readonly #timeoutMs: () => number;
  readonly #kept = new Map<string, Certificate>();

  constructor(wheel: TimerWheel, timeoutMs: () => number) {
    this.#wheel = wheel;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * What plugins chose, the last one's choice; null: none did. A promise only where a plugin made one.
   *
   * @throws Error that names the plugin which failed; so rejects the promise.
   */
  choose(steps: CertificateSteps, facts: HandshakeFacts): Certificate | null | Promise<Certificate | null> {
    let chosen: Certificate | null = null;
    const exchange: CertificateExchange = {
      ...facts,
      use: (certificate, key) => void (chosen = this.#entityOf(certificate, key)),
    };
    for (const [place, { entity, filters }] of steps.entries()) {
      const failed = (error: unknown): never => {
        throw new Error(`plugin ${entity.name} (${entity.id}): ${causeText(error)}`);
      };
      try {
        const result = filters.certificate(exchange);
        if (result === undefined) continue;
        return this.#within(result)
          .catch(failed)
          .then(() => this.choose(steps.slice(place + 1), facts))
          .then((next) => next ?? chosen);
      } catch (error) {
        failed(error);
      }
    }
    return chosen;
  }

  async #within(result: Promise<void>): Promise<void> {
    const ms = this.#timeoutMs();
    const late = Promise.withResolvers<never>();
    const timer = new WheelTimer(() =>
      late.reject(new Error(`has not settled in certificate after ${ms} ms`)),
    );
    this.#wheel.arm(timer, ms);
    try {
      await Promise.race([result, late.promise]);
    } finally {
      this.#wheel.remove(timer);
    }
  }

  /** One object for the same texts: `ServerContexts` goes by it. */
  #entityOf(cert: string, key: string): Certificate {
    if (typeof cert !== 'string' || typeof key !== 'string')
      throw new TypeError('a certificate and a key are PEM');
    const id = `plugin ${createHash('sha256').update(`${cert}\0${key}`).digest('base64')}`;
    const found = this.#kept.get(id);
    if (found !== undefined) return found;
    const none = { cert_alt: null, key_alt: null, tags: null, snis: null };
    const entity = { id, cert, key, ...none, created_at: 0, updated_at: 0 } as unknown as Certificate;
    this.#kept.set(id, entity);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value ?? '');
    return entity;
  }
}
