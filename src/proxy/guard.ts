/** Requests that are refused for what their connection is: before they are routed, in nginx's words. */
import { GatewayError } from '../lib/gateway-error.ts';
import type { ConnectionGuard, RequestHead } from '../wire/message.ts';

const WORDS: Readonly<Record<NonNullable<ConnectionGuard['refusal']>, string>> = {
  plain_http: 'The plain HTTP request was sent to HTTPS port',
  no_certificate: 'No required SSL certificate was sent',
  bad_certificate: 'The SSL certificate error',
};

/** Null: the request is served. */
export function guardError(guard: ConnectionGuard, head: RequestHead): GatewayError | null {
  const { refusal, serverName } = guard;
  if (refusal !== null) return new GatewayError(refusal, WORDS[refusal], { source: 'client', status: 400 });
  if (serverName === '' || hostOf(head.authority) === serverName) return null;
  return new GatewayError('misdirected_request', 'Misdirected request', { source: 'client', status: 421 });
}

/** As a server name is written: lower case, without port and without the dot of an absolute name. */
function hostOf(authority: string): string {
  const host = authority.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
