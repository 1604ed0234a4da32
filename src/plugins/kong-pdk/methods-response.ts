/** `kong.response` and `kong.service.response`, for plugins of `kong-pdk`. */
import { checkHeader } from '../common/early-changes.ts';
import type { Methods } from './methods.ts';
import type { Session } from './session.ts';
import {
  entries,
  errorReply,
  exitReply,
  headersOf,
  integer,
  rawBody,
  setHeader,
  single,
  text,
  texts,
} from './values.ts';

/** @throws TypeError for what is no header. */
function field(name: unknown, value: unknown): readonly [name: string, values: readonly string[]] {
  const header = text(name, 'the name');
  const values = texts(value, `the value of header '${header}'`);
  checkHeader(header, values);
  return [header, values];
}

export const RESPONSE: Methods = {
  'response.get_status': ({ exchange }) => exchange.response.status,
  'response.get_header': ({ exchange }, name) => exchange.response.headers.get(text(name, 'the name')),
  'response.get_headers': ({ exchange }) => headersOf(exchange.response.headers),
  'response.get_source': ({ exchange }) => exchange.response.source,
  'response.set_status': (session, status) => {
    const number = integer(status, 'the status', 200, 599);
    session.changeResponse(({ response }) => {
      response.status = number;
    });
  },
  'response.set_header': (session, name, value) => {
    const [header, values] = field(name, value);
    session.changeResponse(({ response }) => setHeader(response.headers, header, values));
  },
  'response.add_header': (session, name, value) => {
    const [header, values] = field(name, value);
    session.changeResponse(({ response }) => {
      for (const one of values) response.headers.add(header, one);
    });
  },
  'response.set_headers': (session, headers) => {
    const all = entries(headers, 'the headers').map(([name, value]) => field(name, value));
    session.changeResponse(({ response }) => {
      for (const [name, values] of all) setHeader(response.headers, name, values);
    });
  },
  'response.clear_header': (session, name) => {
    const header = text(name, 'the name');
    session.changeResponse(({ response }) => response.headers.remove(header));
  },
  'response.exit': (session, status, body, headers) => session.end(exitReply(status, body, headers)),
  'response.error': (session, status, message, headers) => session.end(errorReply(status, message, headers)),
  'service.response.get_status': ({ exchange }) => exchange.upstreamResponse.status || undefined,
  'service.response.get_header': ({ exchange }, name) =>
    exchange.upstreamResponse.headers.get(text(name, 'the name')),
  'service.response.get_headers': ({ exchange }) => headersOf(exchange.upstreamResponse.headers),
  'service.response.get_raw_body': (session) => rawBody(bodyOf(session)),
  'service.response.get_body': (session) => {
    const type = session.exchange.upstreamResponse.headers.get('content-type') ?? '';
    const written = bodyOf(session).toString();
    if (/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) return JSON.parse(written) as unknown;
    if (/^application\/x-www-form-urlencoded\b/i.test(type)) return single(new URLSearchParams(written));
    throw new Error(`a body of type '${type}' is not read: getRawBody gives it as it is`);
  },
};

function bodyOf({ body, phase }: Session): Buffer {
  if (body === null) throw new Error(`the body of the response is not there in the phase ${phase}`);
  return body;
}
