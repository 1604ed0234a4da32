/** What the settings say about a request, worked out once: the request path reads plain booleans and strings. */
import type { Settings } from '../settings/settings.ts';
import { VERSION, KONG_VERSION } from '../lib/version.ts';

export interface Policy {
  /** `sluice/0.1.0`, or as Kong: what `Via` and `Server` say. */
  readonly serverToken: string;
  readonly sendServer: boolean;
  readonly sendVia: boolean;
  readonly sendUpstreamLatency: boolean;
  readonly sendProxyLatency: boolean;
  readonly sendResponseLatency: boolean;
  readonly sendRequestId: boolean;
  readonly sendUpstreamStatus: boolean;
  readonly upstreamRequestId: boolean;
  /** For text that an upstream sends without a charset; null leaves it as it is. */
  readonly charset: string | null;
  /** `Kong-Debug: 1` is answered. */
  readonly debugHeader: boolean;
  /** Octets of a request body; `Infinity` when unlimited. */
  readonly maxBody: number;
  /** Octets of a request body kept before streaming, and of a response read ahead of a slow client. */
  readonly requestBuffer: number;
  readonly responseBuffer: number;
  /** Milliseconds that a filter of a plugin may wait. */
  readonly pluginTimeout: number;
  /** Octets of a response that plugins want whole. */
  readonly pluginResponseLimit: number;
}

export function policyOf(settings: Settings): Policy {
  const { headers, headers_upstream: upstream } = settings;
  return {
    serverToken: settings.server_name === 'kong' ? `kong/${KONG_VERSION}` : `sluice/${VERSION}`,
    sendServer: headers.has('server'),
    sendVia: headers.has('via'),
    sendUpstreamLatency: headers.has('x-kong-upstream-latency'),
    sendProxyLatency: headers.has('x-kong-proxy-latency'),
    sendResponseLatency: headers.has('x-kong-response-latency'),
    sendRequestId: headers.has('x-kong-request-id'),
    sendUpstreamStatus: headers.has('x-kong-upstream-status'),
    upstreamRequestId: upstream.has('x-kong-request-id'),
    charset: settings.nginx_http_charset,
    debugHeader: settings.allow_debug_header,
    maxBody:
      settings.nginx_http_client_max_body_size === 0 ? Infinity : settings.nginx_http_client_max_body_size,
    requestBuffer: settings.request_buffer_size,
    responseBuffer: settings.response_buffer_size,
    pluginTimeout: settings.plugin_timeout,
    pluginResponseLimit: settings.plugin_response_limit,
  };
}
