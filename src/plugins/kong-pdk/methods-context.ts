/** `kong.client`, `kong.ctx`, `kong.log`, `kong.node` and what else there is, for plugins of `kong-pdk`. */
import { inspect } from 'node:util';
import { findConsumer } from '../common/identity.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { PluginLog } from '../kit/services.ts';
import type { Method, Methods } from './methods.ts';
import type { Session } from './session.ts';
import { entries, text } from './values.ts';

const LONGEST_LINE = 8192;

function say(level: keyof PluginLog): Method {
  return ({ gateway }, ...values) =>
    gateway.log[level](
      values
        .map((value) =>
          typeof value === 'string' ? value : inspect(value, { depth: 4, breakLength: Infinity }),
        )
        .join('')
        .slice(0, LONGEST_LINE),
    );
}

/** An id that a plugin gives as part of an entity. */
function idOf(entity: unknown): string | null {
  if (entity === null || entity === undefined) return null;
  const id = entries(entity, 'an entity').find(([name]) => name === 'id')?.[1];
  return text(id, 'its id');
}

export const CLIENT: Methods = {
  'client.get_ip': ({ address }) => address.socketIp,
  'client.get_forwarded_ip': ({ address }) => address.ip,
  'client.get_port': ({ address }) => address.port,
  'client.get_forwarded_port': ({ address }) => address.port,
  'client.get_credential': ({ exchange }) => structuredClone(exchange.credential),
  'client.get_consumer': ({ exchange }) => structuredClone(exchange.consumer),
  'client.get_consumer_groups': ({ exchange }) => structuredClone(exchange.groups),
  'client.load_consumer': ({ gateway: { entities } }, id, byUsername) => {
    const name = text(id, 'the id');
    return structuredClone(
      byUsername === true ? findConsumer(entities, name) : entities.get('consumers', name),
    );
  },
  'client.get_protocol': ({ exchange: { request, client } }, terminated) => {
    const secure =
      request.scheme === 'https' ||
      (terminated === true && client.trusted && request.forwarded.scheme === 'https');
    return `${request.isGrpc ? 'grpc' : 'http'}${secure ? 's' : ''}`;
  },
  'client.authenticate': ({ exchange, gateway }, consumer, credential) => {
    const [consumerId, credentialId] = [idOf(consumer), idOf(credential)];
    const found = consumerId === null ? null : gateway.entities.get('consumers', consumerId);
    if (found === null && consumerId !== null) throw new Error('there is no such consumer');
    const shown = credentialId === null ? null : { id: credentialId, consumerId: found?.id ?? null };
    if (found === null && shown === null) throw new Error('a consumer or a credential is needed');
    exchange.authenticate(found, shown);
  },
  'client.tls.get_full_client_certificate_chain': ({ exchange }) =>
    exchange.client.tls
      ?.clientChain()
      .map((der) => `-----BEGIN CERTIFICATE-----\n${lines(der)}\n-----END CERTIFICATE-----\n`)
      .join('') || undefined,
};

function lines(der: Buffer): string {
  return der.toString('base64').replaceAll(/(.{64})(?=.)/g, '$1\n');
}

/** `ngx.ctx`: what plugins of `kong-pdk` leave for each other with a request. */
const nginxContexts = new WeakMap<object, Map<string, unknown>>();

function nginxContext({ flow }: Session): Map<string, unknown> {
  let context = nginxContexts.get(flow);
  if (context === undefined) nginxContexts.set(flow, (context = new Map()));
  return context;
}

const VARIABLES: Readonly<Record<string, (exchange: Exchange) => unknown>> = {
  args: ({ request }) => request.query,
  host: ({ request }) => request.host.toLowerCase(),
  remote_addr: ({ client }) => client.ip,
  remote_port: ({ client }) => String(client.port),
  request_id: ({ id }) => id,
  request_method: ({ request }) => request.method,
  request_uri: ({ request }) =>
    request.query === '' ? request.rawPath : `${request.rawPath}?${request.query}`,
  scheme: ({ request }) => request.scheme,
  server_port: ({ request }) => String(request.port),
  ssl_server_name: ({ client }) => client.tls?.serverName,
  status: ({ response }) => String(response.status),
  uri: ({ request }) => request.path,
};

export const CONTEXT: Methods = {
  'ctx.shared.get': ({ flow }, key) => flow.shared.get(text(key, 'the key')),
  'ctx.shared.set': ({ flow }, key, value) => void flow.shared.set(text(key, 'the key'), value),
  'nginx.get_ctx': (session, key) => nginxContext(session).get(text(key, 'the key')),
  'nginx.set_ctx': (session, key, value) => void nginxContext(session).set(text(key, 'the key'), value),
  'nginx.get_subsystem': ({ isStream }) => (isStream ? 'stream' : 'http'),
  'nginx.req_start_time': ({ exchange }) => exchange.request.startedAt / 1000,
  'nginx.get_var': ({ exchange }, name) => {
    const variable = VARIABLES[text(name, 'the name')];
    if (variable === undefined)
      throw new Error(`of nginx's variables there are ${Object.keys(VARIABLES).join(', ')}`);
    return variable(exchange);
  },
  log: say('notice'),
  'log.alert': say('error'),
  'log.crit': say('error'),
  'log.err': say('error'),
  'log.warn': say('warn'),
  'log.notice': say('notice'),
  'log.info': say('info'),
  'log.debug': say('debug'),
  'log.deprecation': say('warn'),
  'log.set_serialize_value': ({ flow }, key, value, options) => {
    const mode =
      options === undefined || options === null
        ? 'set'
        : Object.fromEntries(entries(options, 'the options'))['mode'];
    if (mode !== undefined && mode !== 'set') throw new Error("the mode must be 'set'");
    flow.log.set(text(key, 'the key'), value);
  },
};

export const NODE: Methods = {
  'node.get_id': ({ gateway }) => gateway.node.id,
  'node.get_hostname': ({ gateway }) => gateway.node.hostname,
  'plugin.get_id': ({ gateway }) => gateway.plugin.id,
  'ip.is_trusted': ({ address, exchange }, asked) => {
    if (asked !== address.socketIp) throw new Error('only the address of the connection can be asked about');
    return exchange.client.trusted;
  },
  'vault.get': ({ gateway }, reference) => gateway.secret(text(reference, 'the reference')),
  'vault.is_reference': (_, reference) =>
    typeof reference === 'string' && /^\{vault:\/\/.+\}$/.test(reference),
};
