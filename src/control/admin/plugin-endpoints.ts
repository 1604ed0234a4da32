/**
 * `/plugins-api/NAME/…`: the endpoints that plugins bring, behind the listener's own door and rules. A path of their own
 * keeps a plugin from standing in the way of the gateway's endpoints, or of another plugin's.
 *
 * A handler that fails is a 500 and a line in the log; one that does not settle is a 504. What answers is always a whole
 * response. Built-in plugins that have endpoints say so in their description, so that others are not loaded here.
 */
import { hostname } from 'node:os';
import { moduleUrl } from '../../lib/module-url.ts';
import { findEndpoint } from '../../plugins/engine/endpoint-check.ts';
import type { PluginDefinition } from '../../plugins/kit/define.ts';
import type {
  AdminEndpoint,
  EndpointHandler,
  EndpointMethod,
  EndpointRequest,
  EndpointServices,
} from '../../plugins/kit/endpoints.ts';
import { Reply } from '../../plugins/kit/reply.ts';
import type { PluginLog } from '../../plugins/kit/services.ts';
import { StoredRecords } from '../../plugins/services/records.ts';
import { creating } from '../../plugins/users/blame.ts';
import { userPlugin } from '../../plugins/users/live.ts';
import { nodeId } from '../../settings/node-id.ts';
import type { LogLevel } from '../../settings/settings.ts';
import { SharedZone } from '../../zone/shared/shared-zone.ts';
import { denial, WHOLE } from '../access/principal.ts';
import type { Gateway } from '../gateway.ts';
import { readBody, TooLarge } from './body.ts';
import { enabledPlugins } from './plugin-list.ts';
import { type AdminApp, type AdminContext, empty, json } from './resource.ts';

export type Side = 'admin' | 'status';

const PREFIX = '/plugins-api/';
const HANDLER_MS = 30_000;
const MAX_BODY = 1024 * 1024;
const LATE = Symbol('late');

type Definition = Pick<PluginDefinition, 'adminEndpoints' | 'statusEndpoints'>;

export function pluginEndpoints(app: AdminApp, gateway: Gateway, side: Side): void {
  const services = new EndpointServiceMaker(gateway);
  app.all(`${PREFIX}:name/*`, async (context) => {
    const { pathname } = new URL(context.req.url);
    const name = context.req.param('name');
    const definition = await definitionOf(gateway, name);
    const endpoints: readonly AdminEndpoint[] =
      (side === 'admin' ? definition?.adminEndpoints : definition?.statusEndpoints) ?? [];
    const found = findEndpoint(endpoints, pathname.slice(PREFIX.length + name.length));
    if (found === null) return json(404, { message: 'Not found' });
    const { methods } = found.endpoint;
    const { method } = context.req;
    const handler = methods[(method === 'HEAD' ? 'GET' : method) as EndpointMethod];
    if (handler === undefined) return otherMethod(method, Object.keys(methods));
    const operation = method === 'GET' || method === 'HEAD' ? 'read' : 'write';
    const denied = denial(context.get('principal'), { operation, kind: WHOLE });
    if (denied !== null) return json(403, { message: denied });
    return await answer(name, handler, requestOf(context, found.params), services.of(name));
  });
}

async function definitionOf({ reloader }: Gateway, name: string): Promise<Definition | null> {
  const schema = enabledPlugins(reloader.settings).get(name);
  if (schema === undefined) return null;
  const user = userPlugin(name);
  if (user !== null) return user.definition;
  if (schema.description.endpoints !== true) return null;
  const url = moduleUrl(`../../plugins/${name}/plugin`, import.meta.url).href;
  return ((await import(url)) as { readonly default: Definition }).default;
}

function otherMethod(method: string, known: readonly string[]): Response {
  const allow = [...known, ...(known.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].sort().join(', ');
  if (method === 'OPTIONS') return empty(204, { Allow: allow });
  return json(405, { message: 'Method not allowed' }, { Allow: allow });
}

function requestOf(context: AdminContext, params: Readonly<Record<string, string>>): EndpointRequest {
  const { req } = context;
  return {
    method: req.method,
    params,
    query: new URL(req.url).searchParams,
    header: (name) => req.header(name),
    principal: context.get('principal')?.name ?? null,
    body: async () => Buffer.from(await readBody(req.raw, MAX_BODY)),
  };
}

async function answer(
  name: string,
  handler: EndpointHandler,
  request: EndpointRequest,
  services: EndpointServices,
): Promise<Response> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<symbol>((resolve) => {
    timer = setTimeout(resolve, HANDLER_MS, LATE);
  });
  try {
    // What it throws where nobody waits is known as its own by this.
    const work = creating.run(name, () => Promise.try(handler, request, services));
    const reply: unknown = await Promise.race([work, late]);
    if (reply === LATE) {
      services.log.error(`an endpoint has not answered after ${HANDLER_MS} ms`);
      return json(504, { message: 'The plugin did not answer in time' });
    }
    if (!(reply instanceof Reply)) throw new TypeError('an endpoint answered no reply');
    return responseOf(reply);
  } catch (error) {
    if (error instanceof TooLarge) throw error;
    services.log.error(
      `an endpoint failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return json(500, { message: 'An unexpected error occurred' });
  } finally {
    clearTimeout(timer);
  }
}

function responseOf({ status, message, body, headers }: Reply): Response {
  const fields = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const line of typeof value === 'string' ? [value] : value) fields.append(name, line);
  }
  if (message !== null) return json(status, { message }, Object.fromEntries(fields));
  const bodiless = body === null || status === 204 || status === 304;
  return new Response(bodiless ? null : new Uint8Array(body), { status, headers: fields });
}

/** The main thread takes part in the zone as one more worker. */
class EndpointServiceMaker {
  readonly #gateway: Gateway;
  readonly #made = new Map<string, EndpointServices>();
  #zone: SharedZone | null = null;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  of(plugin: string): EndpointServices {
    const { supervisor, reloader, records } = this.#gateway;
    const known = this.#made.get(plugin);
    if (known !== undefined) return known;
    const zone = (this.#zone ??= new SharedZone(
      supervisor.shared.buffer,
      reloader.settings.nginx_worker_processes,
    ));
    const services: EndpointServices = {
      log: this.#log(plugin),
      node: { id: nodeId(reloader.settings), hostname: hostname() },
      counters: zone.counters(plugin),
      shared: zone.values(plugin),
      circuits: supervisor.circuits,
      get records() {
        const { store } = records;
        return new StoredRecords(store === null ? null : { reader: store, writer: store }, plugin);
      },
    };
    this.#made.set(plugin, services);
    return services;
  }

  #log(plugin: string): PluginLog {
    const say =
      (level: LogLevel) =>
      (message: string): void =>
        this.#gateway.log.log(level, `[${plugin}] ${message}`);
    return {
      debug: say('debug'),
      info: say('info'),
      notice: say('notice'),
      warn: say('warn'),
      error: say('error'),
    };
  }
}
