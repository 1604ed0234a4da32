/** What a policy is told of a request: the names are Kong's. */
import type { Entity } from '../../entities/schema/field.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { opa } from './schema.ts';

export type OpaConfig = Entity<typeof opa.config>;

type Facts = Record<string, unknown>;

/** @throws BodyTooLarge */
export function policyInput(exchange: Exchange, config: OpaConfig): Facts | Promise<Facts> {
  const { request, client } = exchange;
  const http: Facts = {
    host: request.host,
    port: String(request.port),
    tls: tlsFacts(exchange),
    method: request.method,
    scheme: request.scheme,
    path: request.path,
    querystring: joined(request.args),
    headers: { host: request.host, ...joined(grouped(request.headers.entries())) },
  };
  const input: Facts = { request: { http }, client_ip: client.ip };
  if (config.include_uri_captures_in_opa_input) http['uri_captures'] = request.captures();
  if (config.include_service_in_opa_input) input['service'] = exchange.service ?? undefined;
  if (config.include_route_in_opa_input) input['route'] = exchange.route ?? undefined;
  if (config.include_consumer_in_opa_input) input['consumer'] = exchange.consumer ?? undefined;
  if (!config.include_body_in_opa_input && !config.include_parsed_json_body_in_opa_input) return input;
  return request.body().then((body) => {
    tellBody(http, body, config, request.headers.get('content-type') ?? '');
    return input;
  });
}

function tellBody(http: Facts, body: Buffer, config: OpaConfig, contentType: string): void {
  if (config.include_body_in_opa_input) {
    http['body'] = body.toString('utf8');
    http['size'] = body.length;
  }
  if (!config.include_parsed_json_body_in_opa_input) return;
  if (!/^application\/json\s*(?:;|$)/i.test(contentType)) return;
  try {
    http['parsed_body'] = JSON.parse(body.toString('utf8'));
  } catch {
    // The policy sees that there is none.
  }
}

function tlsFacts({ client: { tls } }: Exchange): Facts {
  if (tls === null) return {};
  const { version, cipher, serverName, clientVerify } = tls;
  return { version, cipher, server_name: serverName, client_verify: clientVerify };
}

function grouped(entries: Iterable<[string, string]>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [name, value] of entries) {
    const values = groups.get(name);
    if (values === undefined) groups.set(name, [value]);
    else values.push(value);
  }
  return groups;
}

/** One value as a text, several as a list. */
function joined(groups: ReadonlyMap<string, readonly string[]>): Facts {
  const facts: Facts = Object.create(null);
  for (const [name, values] of groups) facts[name] = values.length === 1 ? values[0] : values;
  return facts;
}
