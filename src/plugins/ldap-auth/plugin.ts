/**
 * ldap-auth: a name and password that an LDAP directory takes. Answers are kept for `cache_ttl`, by a hash with a key of this
 * process, so that no memory dump and no log tells passwords; those of strangers apart, so that guesses push nobody out.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { quotedString } from '../common/header-value.ts';
import { authentication, type Attempt } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { credentialsOf, type Credentials, userDn } from './credentials.ts';
import { DirectoryBusy, LdapDirectory } from './directory.ts';
import { ldapAuth } from './schema.ts';

const MOST_KNOWN = 10_000;
const MOST_REFUSED = 1000;
const KEY = randomBytes(32);

export default definePlugin({
  ...ldapAuth,
  create(config, gateway) {
    const { ldap_host: host, ldap_port: port, base_dn: base, attribute } = config;
    const encrypted = config.start_tls ? 'start_tls' : 'none';
    const security = config.ldaps ? 'ldaps' : encrypted;
    if (config.verify_ldap_host && security !== 'none') gateway.trust();
    const directory = new LdapDirectory({
      host,
      port,
      security,
      verify: config.verify_ldap_host,
      timeoutMs: config.timeout,
      keepaliveMs: config.keepalive,
    });
    const ttlMs = Math.ceil(config.cache_ttl * 1000);
    const known = ttlMs > 0 ? gateway.cache<true>({ max: MOST_KNOWN, ttlMs }) : null;
    const asked = ttlMs > 0 ? gateway.cache<boolean>({ max: MOST_REFUSED, ttlMs }) : null;
    const place = `${host.toLowerCase()}:${port}:${base}:${attribute}`;
    const scheme = config.header_type === 'ldap' ? 'LDAP' : config.header_type;
    const challenge = config.realm === null ? scheme : `${scheme} realm=${quotedString(config.realm)}`;
    const unauthorized = refuse(401, 'Unauthorized', { 'WWW-Authenticate': challenge });

    const bind = ({ username, password }: Credentials): Promise<boolean> =>
      directory.bind(userDn(attribute, username, base), password);

    function verify(credentials: Credentials): boolean | Promise<boolean> {
      if (known === null || asked === null) return bind(credentials);
      const { username, password } = credentials;
      const key = createHmac('sha256', KEY)
        .update(JSON.stringify([username, password]))
        .digest('base64');
      if (known.get(key) === true) return true;
      return asked.load(key, async () => {
        const good = await bind(credentials);
        if (good) known.set(key, true);
        return good;
      });
    }

    function accepted(exchange: Exchange, { username }: Credentials): Attempt {
      if (config.hide_credentials) {
        exchange.upstreamRequest.headers.remove('authorization');
        exchange.upstreamRequest.headers.remove('proxy-authorization');
      }
      // The same for all workers and nodes: limits count by it.
      const id = createHash('sha256').update(`${place}:${username}`).digest('hex');
      return { consumer: null, credential: { id, consumerId: null }, identifier: username };
    }

    function failed(error: unknown): Attempt {
      gateway.log.error(`${host}:${port}: ${error instanceof Error ? error.message : String(error)}`);
      return error instanceof DirectoryBusy ? refuse(503) : refuse(500);
    }

    /** Kong's order; what a proxy in front is shown counts first. */
    function* shown({ request }: Exchange): Generator<Credentials> {
      for (const name of ['proxy-authorization', 'authorization']) {
        const [header, ...more] = request.headers.all(name);
        // Of two lines the upstream might believe the other one.
        const single = header !== undefined && more.length === 0;
        const found = single ? credentialsOf(header, config.header_type) : null;
        if (found !== null) yield found;
      }
    }

    function attempt(exchange: Exchange): Attempt | Promise<Attempt> {
      const all = [...shown(exchange)];
      const [first] = all;
      if (first === undefined) return unauthorized;
      const good = verify(first);
      if (good === true) return accepted(exchange, first);
      const rest = async (): Promise<Attempt> => {
        if (await good) return accepted(exchange, first);
        for (const one of all.slice(1)) if (await verify(one)) return accepted(exchange, one);
        return unauthorized;
      };
      return rest().catch(failed);
    }

    return { access: authentication(gateway, config, attempt), dispose: () => directory.dispose() };
  },
});
