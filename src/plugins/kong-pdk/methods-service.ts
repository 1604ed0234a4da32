/** `kong.service` and `kong.service.request`, for plugins of `kong-pdk`. */
import type { Exchange } from '../kit/exchange.ts';
import type { Methods } from './methods.ts';
import { encodeArgs, entries, integer, setHeader, text, texts } from './values.ts';

const MOST_MS = 2_147_483_646;

function change({ upstreamRequest }: Exchange, name: string, values: readonly string[]): void {
  if (name.toLowerCase() === 'host' && values[0] !== undefined) upstreamRequest.host = values[0];
  else setHeader(upstreamRequest.headers, name, values);
}

export const SERVICE: Methods = {
  'service.set_upstream': ({ outgoing }, host) => {
    outgoing.upstreamRequest.setTarget(text(host, 'the upstream'), 80);
    return true;
  },
  'service.set_target': ({ outgoing }, host, port) =>
    outgoing.upstreamRequest.setTarget(text(host, 'the host'), integer(port, 'the port', 1, 65_535)),
  'service.set_retries': ({ outgoing }, retries) =>
    outgoing.upstreamRequest.setRetries(integer(retries, 'the retries', 0, 32_767)),
  'service.set_timeouts': ({ outgoing }, connect, write, read) =>
    outgoing.upstreamRequest.setTimeouts({
      connect: integer(connect, 'connect_timeout', 1, MOST_MS),
      write: integer(write, 'write_timeout', 1, MOST_MS),
      read: integer(read, 'read_timeout', 1, MOST_MS),
    }),
  'service.request.enable_buffering': ({ buffers }) => {
    if (!buffers) throw new Error('responses are buffered for plugins with a method `response` only');
  },
  'service.request.set_scheme': ({ outgoing }, scheme) => {
    if (scheme !== 'http' && scheme !== 'https') throw new TypeError("the scheme must be 'http' or 'https'");
    outgoing.upstreamRequest.setScheme(scheme);
  },
  'service.request.set_path': ({ outgoing }, path) => {
    outgoing.upstreamRequest.path = text(path, 'the path');
  },
  'service.request.set_raw_query': ({ outgoing }, query) => {
    outgoing.upstreamRequest.query = text(query, 'the query');
  },
  'service.request.set_query': ({ outgoing }, args) => {
    outgoing.upstreamRequest.query = encodeArgs(args);
  },
  'service.request.set_method': ({ outgoing }, method) => {
    outgoing.upstreamRequest.method = text(method, 'the method');
  },
  'service.request.set_header': ({ outgoing }, name, value) =>
    change(outgoing, text(name, 'the name'), texts(value, 'the value')),
  'service.request.add_header': ({ outgoing }, name, value) => {
    for (const one of texts(value, 'the value'))
      outgoing.upstreamRequest.headers.add(text(name, 'the name'), one);
  },
  'service.request.set_headers': ({ outgoing }, headers) => {
    for (const [name, value] of entries(headers, 'the headers'))
      change(outgoing, name, texts(value, `header '${name}'`));
  },
  'service.request.clear_header': ({ outgoing }, name) =>
    outgoing.upstreamRequest.headers.remove(text(name, 'the name')),
  'service.request.set_raw_body': ({ outgoing }, body) =>
    outgoing.upstreamRequest.setBody(body instanceof Uint8Array ? body : text(body, 'the body')),
  'service.request.set_body': ({ outgoing }, args, mimetype) => {
    const { upstreamRequest, request } = outgoing;
    const given = mimetype ?? request.headers.get('content-type') ?? 'application/json';
    const type = text(given, 'the type').split(';', 1)[0]?.trim().toLowerCase();
    if (type === 'application/json') upstreamRequest.setBody(JSON.stringify(args));
    else if (type === 'application/x-www-form-urlencoded') upstreamRequest.setBody(encodeArgs(args));
    else throw new Error(`a body of type '${type}' is not written: setRawBody takes it as it is`);
    upstreamRequest.headers.set('Content-Type', type);
    return true;
  },
};
