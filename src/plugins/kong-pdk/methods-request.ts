/** `kong.request` and `kong.router`, for plugins of `kong-pdk`. */
import { bodyArgs } from '../common/body-args.ts';
import type { Methods } from './methods.ts';
import { headersOf, rawBody, single, text } from './values.ts';

export const REQUEST: Methods = {
  'request.get_scheme': ({ exchange }) => exchange.request.scheme,
  'request.get_host': ({ exchange }) => exchange.request.host.toLowerCase(),
  'request.get_port': ({ exchange }) => exchange.request.port,
  'request.get_forwarded_scheme': ({ exchange }) => exchange.request.forwarded.scheme,
  'request.get_forwarded_host': ({ exchange }) => exchange.request.forwarded.host,
  'request.get_forwarded_port': ({ exchange }) => exchange.request.forwarded.port,
  'request.get_forwarded_path': ({ exchange }) => exchange.request.forwarded.path,
  'request.get_forwarded_prefix': ({ exchange }) => exchange.request.forwarded.prefix,
  'request.get_http_version': ({ exchange }) => Number(exchange.request.httpVersion),
  'request.get_method': ({ exchange }) => exchange.request.method,
  'request.get_path': ({ exchange }) => exchange.request.path,
  'request.get_raw_path': ({ exchange }) => exchange.request.rawPath,
  'request.get_path_with_query': ({ exchange: { request } }) =>
    request.query === '' ? request.rawPath : `${request.rawPath}?${request.query}`,
  'request.get_raw_query': ({ exchange }) => exchange.request.query,
  'request.get_query_arg': ({ exchange }, name) => exchange.request.args.get(text(name, 'the name'))?.[0],
  'request.get_query': ({ exchange }) =>
    Object.fromEntries(
      [...exchange.request.args].map(([name, list]) => [name, list.length === 1 ? list[0] : list]),
    ),
  'request.get_header': ({ exchange }, name) => exchange.request.headers.get(text(name, 'the name')),
  'request.get_headers': ({ exchange }) => headersOf(exchange.request.headers),
  'request.get_start_time': ({ exchange }) => exchange.request.startedAt,
  'request.get_uri_captures': ({ exchange }) => exchange.request.captures(),
  'request.get_raw_body': async ({ outgoing }) => rawBody(await outgoing.request.body()),
  'request.get_body': async ({ outgoing }) => {
    const args = await bodyArgs(outgoing);
    return single([...args].flatMap(([name, values]) => values.map((value) => [name, value] as const)));
  },
  'router.get_route': ({ flow }) => copy(flow.route),
  'router.get_service': ({ flow }) => copy(flow.service),
};

/** What a plugin changes of it is its own. */
function copy<T>(entity: T): T {
  return structuredClone(entity);
}
