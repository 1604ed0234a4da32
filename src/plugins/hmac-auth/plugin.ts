/**
 * hmac-auth: who signs a request with a consumer's secret is that consumer. Messages and their order are Kong's.
 *
 * A request that is repeated within `clock_skew` is let in again, as in Kong: the signature does not tell it from the first.
 */
import { createHash } from 'node:crypto';
import type { HmacauthCredential } from '../../entities/hmacauth-credential.ts';
import { parseHttpDate } from '../../lib/http-date.ts';
import { authentication, type Attempt } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange, IncomingRequest } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { hmacAuth } from './schema.ts';
import { isSignedWith, readSignature, type Signature, signingText } from './signature.ts';

const NO_DATE =
  'HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication';
const NOT_VALID = 'HMAC signature cannot be verified';
const NOT_SAME = 'HMAC signature does not match';
/** Names that one signature covers; the same header may stand there again and again. */
const MAX_NAMES = 64;
const NONE: readonly string[] = [];
const DATES = ['x-date', 'date'] as const;

/** Of each row of the directory; a row never changes. */
const keys = new WeakMap<HmacauthCredential, Buffer>();

export default definePlugin({
  ...hmacAuth,
  create(config, gateway) {
    const { entities } = gateway;
    const algorithms = config.algorithms ?? NONE;
    const enforced = config.enforce_headers ?? NONE;
    const skew = (config.clock_skew ?? 300) * 1000;
    const challenge = config.realm === null ? 'hmac' : `hmac realm="${config.realm}"`;
    const no = (message: string): Attempt => refuse(401, message, { 'WWW-Authenticate': challenge });

    function isTimely(request: IncomingRequest, name: string): boolean {
      const date = request.headers.get(name);
      const at = date === undefined ? null : parseHttpDate(date);
      return at !== null && Math.abs(Math.floor(Date.now() / 1000) * 1000 - at) <= skew;
    }

    /** Proxy-Authorization goes first. */
    function signatureOf(exchange: Exchange): Signature | null {
      const { headers } = exchange.request;
      for (const name of ['proxy-authorization', 'authorization']) {
        const signature = readSignature(headers.get(name));
        if (signature === null) continue;
        if (config.hide_credentials) exchange.upstreamRequest.headers.remove(name);
        return signature;
      }
      return null;
    }

    function isAcceptable({ algorithm, headers }: Signature): boolean {
      if (headers.length > MAX_NAMES) return false;
      return algorithms.includes(algorithm as never) && enforced.every((name) => headers.includes(name));
    }

    function attempt(exchange: Exchange): Attempt | Promise<Attempt> {
      const { request } = exchange;
      if (!request.headers.has('authorization') && !request.headers.has('proxy-authorization')) {
        return no('Unauthorized');
      }
      if (!DATES.some((name) => isTimely(request, name))) return no(NO_DATE);
      const signature = signatureOf(exchange);
      if (signature === null || !isAcceptable(signature)) return no(NOT_VALID);
      // Where a date is signed, that one counts: another may have been put beside it long afterwards.
      const dates = DATES.filter((name) => signature.headers.some((signed) => signed.toLowerCase() === name));
      if (dates.length > 0 && !dates.some((name) => isTimely(request, name))) return no(NO_DATE);
      const credential = entities.find('hmacauth_credentials', 'username', toText(signature.username));
      if (credential === null) return no(NOT_VALID);
      const key = keyOf(credential);
      if (key === null) return no(NOT_VALID);
      if (!isSignedWith(key, signature, signingText(signature.headers, request))) return no(NOT_SAME);
      if (!config.validate_request_body) return identity(credential);
      return request.body().then((body) => (isDigestOf(request, body) ? identity(credential) : no(NOT_SAME)));
    }

    function identity(credential: HmacauthCredential): Attempt {
      const consumer = entities.get('consumers', credential.consumer.id);
      if (consumer === null) return no(NOT_VALID);
      return {
        consumer,
        credential: { id: credential.id, consumerId: consumer.id },
        identifier: credential.username,
      };
    }
    return { access: authentication(gateway, config, attempt) };
  },
});

/** Header values are Latin-1, names of consumers UTF-8. */
function toText(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** Null: a secret that is empty is everybody's. */
function keyOf(credential: HmacauthCredential): Buffer | null {
  const { secret } = credential;
  if (secret === null || secret === '') return null;
  let key = keys.get(credential);
  if (key === undefined) keys.set(credential, (key = Buffer.from(secret, 'utf8')));
  return key;
}

/** Nothing at all needs no digest. */
function isDigestOf(request: IncomingRequest, body: Buffer): boolean {
  const told = request.headers.get('digest');
  if (told === undefined) return body.length === 0;
  return told === `SHA-256=${createHash('sha256').update(body).digest('base64')}`;
}
