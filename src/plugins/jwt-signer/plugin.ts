/**
 * jwt-signer: the access token of a request is verified with its issuer's keys, and the upstream gets one that is signed with
 * a key of the gateway's. Signing runs in a thread of the pool. What came of a token is remembered, while the same keys are
 * there on both sides: so each token is verified and signed once.
 */
import type { Consumer } from '../../entities/consumer.ts';
import type { Key } from '../../entities/key.ts';
import { isAlgorithm, isHmac, isSigned, signInput } from '../../lib/jose/algorithms.ts';
import { type CompactToken, type JsonObject, readCompact } from '../../lib/jose/compact.ts';
import { FoldedNames } from '../../wire/folded-names.ts';
import { headerValue } from '../common/header-value.ts';
import { identify } from '../common/identity.ts';
import { bearer } from '../jwt/find-tokens.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { FilterResult } from '../kit/filters.ts';
import { refuse, Reply } from '../kit/reply.ts';
import { claimAt, editClaims, hasScopes, isTimely } from './claims.ts';
import { type IssuerKey, JwksSource } from './jwks-source.ts';
import { jwtSigner } from './schema.ts';
import { type SigningKey, signingKey } from './signing-key.ts';

interface Outcome {
  readonly claims: JsonObject;
  /** Null: signatures are not verified. */
  readonly by: IssuerKey | null;
  readonly signer: SigningKey | null;
  /** What the upstream gets; null: nothing. */
  readonly signed: string | null;
}

const REMEMBERED = 2000;
const REMEMBERED_MS = 300_000;
/** A longer token is verified each time. */
const MAX_TOKEN = 16 << 10;
const NOTHING: readonly string[] = [];

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export default definePlugin({
  ...jwtSigner,
  create(config, gateway) {
    const { entities, log } = gateway;
    const alg = config.access_token_signing_algorithm ?? 'RS256';
    const symmetric = config.enable_hs_signatures;
    if (isHmac(alg) && !symmetric) throw new Error(`${alg} needs enable_hs_signatures`);
    const source = !config.verify_access_token_signature
      ? null
      : new JwksSource({
          uri: config.access_token_jwks_uri ?? '',
          rotateMs: (config.access_token_jwks_uri_rotate_period ?? 0) * 1000,
          symmetric,
          fetch: (uri) =>
            gateway.fetch(uri, { headers: { Accept: 'application/jwk-set+json, application/json' } }),
          warn: (message) => log.warn(message),
        });
    const remembered = gateway.cache<Outcome>({ max: REMEMBERED, ttlMs: REMEMBERED_MS });
    const [upstreamHeader = '', prefix = ''] = (config.access_token_upstream_header ?? '').split(/:(.*)/);
    const requestHeader = config.access_token_request_header ?? '';
    const ownHeaders = new FoldedNames(
      [upstreamHeader, config.original_access_token_upstream_header ?? ''].filter(
        (name) => name !== '' && name.toLowerCase() !== requestHeader.toLowerCase(),
      ),
    );
    const challenge = `Bearer${config.realm === null ? '' : ` realm="${config.realm}",`} error=`;
    const unauthorized = (): Reply =>
      refuse(401, 'Unauthorized', { 'WWW-Authenticate': `${challenge}"invalid_token"` });
    const forbidden = (): Reply =>
      refuse(403, 'Forbidden', { 'WWW-Authenticate': `${challenge}"insufficient_scope"` });
    const accepts = (name: string): boolean => isAlgorithm(name) && (symmetric || !isHmac(name));

    /** Of the key set as it is now: the same object while the set is the same. */
    let known: { readonly set: readonly Key[]; readonly signer: SigningKey | null } | null = null;
    function signerNow(): SigningKey | null {
      const set = gateway.keySet(config.access_token_keyset ?? 'kong');
      if (set === null) return null;
      const same =
        known !== null && known.set.length === set.length && set.every((key, at) => key === known?.set[at]);
      if (!same) known = { set, signer: signingKey(set, alg, (text) => gateway.secret(text)) };
      return known?.signer ?? null;
    }

    async function verify(token: CompactToken): Promise<IssuerKey | null | Reply> {
      if (source === null) return null;
      const kid = typeof token.header['kid'] === 'string' ? token.header['kid'] : null;
      for (const candidate of await source.candidates(kid, token.alg)) {
        if (isSigned(token.alg, candidate.key, token.input, token.signature)) return candidate;
      }
      return unauthorized();
    }

    async function process(text: string): Promise<Outcome | Reply> {
      const token = readCompact(text, accepts);
      if (typeof token === 'string') {
        log.info(`bad token: ${token}`);
        return unauthorized();
      }
      const by = await verify(token);
      if (by instanceof Reply) return by;
      const { claims } = token;
      // What is over or does not reach is not worth a signature.
      const problem = judge(claims);
      if (problem !== null) return problem;
      if (upstreamHeader === '') return remember(text, { claims, by, signer: null, signed: null });
      const signer = signerNow();
      if (signer === null) {
        log.error(`key set '${config.access_token_keyset ?? 'kong'}' has no private key for ${alg}`);
        return refuse(500);
      }
      const input = `${part({ typ: 'JWT', alg, kid: signer.kid })}.${part(editClaims(claims, config))}`;
      const signature = await signInput(alg, signer.key, input);
      return remember(text, { claims, by, signer, signed: `${input}.${signature.toString('base64url')}` });
    }

    function remember(text: string, outcome: Outcome): Outcome {
      if (text.length <= MAX_TOKEN) remembered.set(text, outcome);
      return outcome;
    }

    function recall(text: string): Outcome | null {
      const outcome = remembered.get(text);
      if (outcome === undefined) return null;
      if (outcome.by !== null && source?.has(outcome.by) !== true) return null;
      if (outcome.signer !== null && outcome.signer !== signerNow()) return null;
      return outcome;
    }

    /** Null: its time and its scopes are right. */
    function judge(claims: JsonObject): Reply | null {
      const now = Math.floor(Date.now() / 1000);
      if (config.verify_access_token_expiry && !isTimely(claims, now, config.access_token_leeway ?? 0)) {
        return unauthorized();
      }
      const required = config.access_token_scopes_required ?? NOTHING;
      if (!config.verify_access_token_scopes || required.length === 0) return null;
      return hasScopes(claimAt(claims, config.access_token_scopes_claim ?? NOTHING), required)
        ? null
        : forbidden();
    }

    function consumerOf(claims: JsonObject, way: readonly string[]): Consumer | null {
      const value = claimAt(claims, way);
      if (typeof value !== 'string' || value === '') return null;
      for (const by of config.access_token_consumer_by ?? NOTHING) {
        const found = by === 'id' ? entities.get('consumers', value) : entities.find('consumers', by, value);
        if (found !== null) return found;
      }
      return null;
    }

    function finish(exchange: Exchange, text: string, outcome: Outcome | Reply): FilterResult {
      if (outcome instanceof Reply) return outcome;
      const problem = judge(outcome.claims);
      if (problem !== null) return problem;
      const way = config.access_token_consumer_claim ?? NOTHING;
      if (way.length > 0) {
        const consumer = consumerOf(outcome.claims, way);
        if (consumer === null) return forbidden();
        identify(exchange, {
          consumer,
          credential: { id: consumer.id, consumerId: consumer.id },
          identifier: null,
        });
      }
      const { headers } = exchange.upstreamRequest;
      headers.remove(requestHeader);
      const original = config.original_access_token_upstream_header;
      if (original !== null) headers.set(original, headerValue(text));
      if (outcome.signed !== null) {
        headers.set(upstreamHeader, prefix === '' ? outcome.signed : `${prefix} ${outcome.signed}`);
      }
      return undefined;
    }

    /** Headers that tell the upstream something are the gateway's. */
    function clear(exchange: Exchange): void {
      exchange.upstreamRequest.headers.removeSpellings(ownHeaders);
    }
    /** Of tokens that are being verified: who comes with the same one waits. */
    const pending = new Map<string, Promise<Outcome | Reply>>();
    function once(text: string): Promise<Outcome | Reply> {
      let running = pending.get(text);
      if (running === undefined) {
        running = process(text).finally(() => pending.delete(text));
        pending.set(text, running);
      }
      return running;
    }

    return {
      access(exchange) {
        const [value = '', ...more] = exchange.request.headers.all(requestHeader);
        // Who reads the first line must not pass on the second.
        if (more.length > 0) return unauthorized();
        const text = bearer(value) || (requestHeader.toLowerCase() === 'authorization' ? '' : value);
        clear(exchange);
        if (text === '') return config.access_token_optional ? undefined : unauthorized();
        const outcome = recall(text);
        if (outcome !== null) return finish(exchange, text, outcome);
        return once(text).then((settled) => finish(exchange, text, settled));
      },
    };
  },
});
