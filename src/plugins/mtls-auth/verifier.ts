/** What mtls-auth and header-cert-auth do with a chain, wherever it came from: is it trusted, was it revoked, whose is it. */
import type { Attempt } from '../common/identity.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { PluginServices } from '../kit/services.ts';
import { attemptOf, type IdentifyConfig } from './identify.ts';
import { CertificateJudge, type Verdict } from './judge.ts';
import { Revocation, type RevocationConfig } from './revocation.ts';

export type VerifierConfig = IdentifyConfig &
  RevocationConfig & {
    readonly ca_certificates: readonly string[];
    readonly allow_partial_chain: boolean;
    /** Seconds. */
    readonly cache_ttl: number;
  };

export class ChainVerifier {
  readonly #config: VerifierConfig;
  readonly #gateway: PluginServices;
  readonly #judge: CertificateJudge;
  readonly #revocation: Revocation | null;

  constructor(config: VerifierConfig, gateway: PluginServices) {
    this.#config = config;
    this.#gateway = gateway;
    this.#judge = new CertificateJudge({
      authority: (id) => gateway.caCertificate(id),
      ids: config.ca_certificates,
      allowPartial: config.allow_partial_chain,
      ttlMs: config.cache_ttl * 1000,
    });
    this.#revocation = config.revocation_check_mode === 'SKIP' ? null : new Revocation(config, gateway);
  }

  /** @param key a digest of the chain. @param chain leaf first, in DER; called only when the verdict is not known. */
  attempt(exchange: Exchange, key: string, chain: () => readonly Buffer[]): Attempt | Promise<Attempt> {
    const verdict = this.#judge.judge(key, chain);
    const settled = (final: Verdict): Attempt => attemptOf(exchange, this.#gateway, this.#config, final);
    if (this.#revocation === null || !verdict.ok) return settled(verdict);
    const problem = this.#revocation.check(verdict.steps);
    const judged = (reason: string | null): Attempt =>
      settled(reason === null ? verdict : { ok: false, reason });
    return problem instanceof Promise ? problem.then(judged) : judged(problem);
  }
}
