/** jwt: who shows a token that is signed with the key of a consumer's credential is that consumer. Messages are Kong's. */
import type { JwtSecret } from '../../entities/jwt-secret.ts';
import { isAlgorithm, isSigned } from '../../lib/jose/algorithms.ts';
import { type CompactToken, member, readCompact } from '../../lib/jose/compact.ts';
import { authentication, type Attempt } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { Reply, reply } from '../kit/reply.ts';
import { type ClaimErrors, claimErrors, expirationErrors } from './claims.ts';
import { findTokens } from './find-tokens.ts';
import { keyOf } from './keys.ts';
import { jwt } from './schema.ts';
import { type VerifiedToken, VerifiedTokens } from './verified.ts';

/** Of the worker: what a token was signed with does not depend on who asks. */
const verified = new VerifiedTokens();
const NO_CLAIMS: readonly string[] = [];

export default definePlugin({
  ...jwt,
  create(config, gateway) {
    const { entities } = gateway;
    const claimName = config.key_claim_name ?? 'iss';
    const toVerify = config.claims_to_verify ?? NO_CLAIMS;
    const secretIsBase64 = config.secret_is_base64;
    const { realm } = config;
    const challenge = realm === null ? 'Bearer' : `Bearer realm="${realm}"`;
    const withError = `${challenge}${realm === null ? '' : ','} error="invalid_token"`;
    const no = (body: ClaimErrors, header = withError): Reply =>
      reply(401, body, { 'WWW-Authenticate': header });

    /** The credential that the token names, or why it is none. */
    function named({ claims, header }: CompactToken | VerifiedToken): JwtSecret | Reply {
      const key = keyClaim(claims, header, claimName);
      if (key === undefined) return no({ message: `No mandatory '${claimName}' in claims` });
      if (key === '') return no({ message: `Invalid '${claimName}' in claims` });
      const row = typeof key === 'string' ? entities.find('jwt_secrets', 'key', key) : null;
      return row ?? no({ message: `No credentials found for given '${claimName}'` });
    }

    function verify(token: string): VerifiedToken | Reply {
      const parsed = readCompact(token, isAlgorithm);
      if (typeof parsed === 'string') return no({ message: `Bad token; ${parsed}` });
      const row = named(parsed);
      if (row instanceof Reply) return row;
      const { alg, header, claims, input, signature } = parsed;
      if (alg !== (row.algorithm ?? 'HS256')) return no({ message: 'Invalid algorithm' });
      const key = keyOf(row, secretIsBase64);
      if (key === null) return no({ message: 'Invalid key/secret' });
      if (!isSigned(alg, key, input, signature)) return no({ message: 'Invalid signature' });
      const entry = { header, claims, alg, row, secretIsBase64 };
      verified.set(token, entry);
      return entry;
    }

    /** What was verified before counts while the token's key still leads to the row that it was verified with. */
    function recall(token: string): VerifiedToken | null {
      const known = verified.get(token);
      if (known === undefined || known.secretIsBase64 !== secretIsBase64) return null;
      return named(known) === known.row ? known : null;
    }

    function attempt(exchange: Exchange): Attempt {
      const tokens = findTokens(exchange.request, config);
      const [token] = tokens;
      if (token === undefined) return no({ message: 'Unauthorized' }, challenge);
      if (tokens.length > 1) return no({ message: 'Multiple tokens provided' });
      const outcome = recall(token) ?? verify(token);
      if (outcome instanceof Reply) return outcome;
      const { claims, row } = outcome;
      const now = Math.floor(Date.now() / 1000);
      const errors =
        claimErrors(claims, toVerify, now) ?? expirationErrors(claims, config.maximum_expiration ?? 0, now);
      if (errors !== null) return no(errors);
      const consumer = entities.get('consumers', row.consumer.id);
      if (consumer === null) {
        return reply(401, { message: `Could not find consumer for '${claimName}=${row.key ?? ''}'` });
      }
      exchange.shared.set('authenticated_jwt_token', token);
      return { consumer, credential: { id: row.id, consumerId: consumer.id }, identifier: row.key };
    }
    return { access: authentication(gateway, config, attempt) };
  },
});

/** In the claims, else in the header. What JSON calls null or false is not there, as in Kong. */
function keyClaim(claims: CompactToken['claims'], header: CompactToken['header'], name: string): unknown {
  for (const object of [claims, header]) {
    const value = member(object, name);
    if (value !== undefined && value !== null && value !== false) return value;
  }
  return undefined;
}
