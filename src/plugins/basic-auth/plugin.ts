/**
 * basic-auth. `Proxy-Authorization` is looked at first, as in Kong, and `Authorization` when that names nobody. Two lines of
 * one of them are no credential: the upstream might believe the other one.
 */
import type { BasicauthCredential } from '../../entities/basicauth-credential.ts';
import { HashQueueFull } from '../../lib/hash-queue.ts';
import { quotedString } from '../common/header-value.ts';
import { authentication, type Attempt } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { readUserPass, type UserPass } from './credentials.ts';
import { Passwords } from './passwords.ts';
import { basicAuth } from './schema.ts';

/** One for all configurations of a worker: rows are the same for all. */
const passwords = new Passwords();

const BUSY = refuse(503, 'Too many passwords wait to be verified', { 'Retry-After': '1' });

interface Claim {
  readonly given: UserPass | null;
  /** Null: there is no such user. */
  readonly credential: BasicauthCredential | null;
}

export default definePlugin({
  ...basicAuth,
  create(config, gateway) {
    const { entities } = gateway;
    const challenge = { 'WWW-Authenticate': `Basic realm=${quotedString(config.realm)}` };
    const unauthorized = refuse(401, 'Unauthorized', challenge);

    function claimOf(exchange: Exchange, header: string): Claim {
      const { headers } = exchange.request;
      const line = headers.get(header);
      if (line === undefined) return { given: null, credential: null };
      const given = headers.all(header).length > 1 ? null : readUserPass(line);
      if (config.hide_credentials) exchange.upstreamRequest.headers.remove(header);
      if (given === null) return { given, credential: null };
      return { given, credential: entities.find('basicauth_credentials', 'username', given.username) };
    }

    function conclude(credential: BasicauthCredential | null, right: boolean): Attempt {
      // It may have gone while its password was verified.
      const now = credential === null ? null : entities.get('basicauth_credentials', credential.id);
      if (!right || credential === null || now?.password !== credential.password) return unauthorized;
      const consumer = entities.get('consumers', credential.consumer.id);
      if (consumer === null) return unauthorized;
      return {
        consumer,
        credential: { id: credential.id, consumerId: consumer.id },
        identifier: credential.username,
      };
    }

    function attempt(exchange: Exchange): Attempt | Promise<Attempt> {
      let claim = claimOf(exchange, 'proxy-authorization');
      if (claim.credential === null) {
        const other = claimOf(exchange, 'authorization');
        if (other.given !== null) claim = other;
      }
      const { given, credential } = claim;
      if (given === null) return unauthorized;
      const right = passwords.verify(credential, given.password, exchange.client.ip);
      if (typeof right === 'boolean') return conclude(credential, right);
      return right.then(
        (settled) => conclude(credential, settled),
        (error: unknown) => {
          if (error instanceof HashQueueFull) return BUSY;
          throw error;
        },
      );
    }
    return { access: authentication(gateway, config, attempt) };
  },
});
