/** An access token as clients show it (RFC 6750 §2): in a header, in a form, in the query. */
import { bodyKind } from './body-args.ts';
import type { Exchange } from '../kit/exchange.ts';
import { parametersOf } from '../oauth2/parameters.ts';

export interface TokenPlace {
  /** Lower case. */
  readonly header: string;
  /** Takes the token out of what the upstream gets. */
  readonly hide: boolean;
  /** A header without a scheme is the token itself. */
  readonly bare: boolean;
}

type Token = string | null;

/** Null: none is shown. Two in one place are none. */
export function accessToken(exchange: Exchange, place: TokenPlace): Token | Promise<Token> {
  const [header, ...more] = exchange.request.headers.all(place.header);
  // The upstream might believe the other one.
  if (more.length > 0) return null;
  if (header !== undefined) {
    const token = ofHeader(exchange, header, place);
    if (token !== null || place.bare) return token;
  }
  const parameters = parametersOf(exchange);
  const shown = (value: Token | undefined): Token | Promise<Token> => {
    if (typeof value !== 'string' || value === '') return null;
    return place.hide ? hide(exchange).then(() => value) : value;
  };
  if (parameters instanceof Promise) return parameters.then((all) => shown(all.get('access_token')));
  return shown(parameters.get('access_token'));
}

function ofHeader(exchange: Exchange, header: string, { header: name, hide, bare }: TokenPlace): Token {
  const [scheme = '', token, ...rest] = header.split(/[\t ]+/).filter((part) => part !== '');
  if (token !== undefined && rest.length === 0 && /^(?:token|bearer)$/i.test(scheme)) {
    if (hide) exchange.upstreamRequest.headers.remove(name);
    return token;
  }
  const text = header.trim();
  if (!bare || text === '') return null;
  // More than one word is another plugin's credential, which it still has to see.
  if (hide && token === undefined) exchange.upstreamRequest.headers.remove(name);
  return text;
}

/** Takes the token out of the query, and out of a form. */
async function hide(exchange: Exchange): Promise<void> {
  const { request, upstreamRequest } = exchange;
  if (request.args.has('access_token')) upstreamRequest.query = withoutToken(upstreamRequest.query);
  if (request.method === 'GET' || bodyKind(request.headers.get('content-type')) !== 'form') return;
  const body = (await request.body()).toString('latin1');
  const left = withoutToken(body);
  if (left !== body) upstreamRequest.setBody(Buffer.from(left, 'latin1'));
}

/** What else there is stays as the client wrote it. */
function withoutToken(query: string): string {
  return query
    .split('&')
    .filter((pair) => !new URLSearchParams(pair).has('access_token'))
    .join('&');
}
