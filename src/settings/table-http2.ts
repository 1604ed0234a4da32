/** Settings of HTTP/2 on `proxy_listen`: nginx's where it has one, else those that nghttp2 and `node:http2` offer. */
import { integer, InvalidValue, size } from './parse-value.ts';
import type { Http2Settings } from './settings.ts';
import type { SettingSpec } from './table.ts';

type Http2Table = { readonly [K in keyof Http2Settings]: SettingSpec<Http2Settings[K]> };

/** What RFC 9113 §6.5.2 gives a stream before any SETTINGS frame: a client may send so much before it reads ours. */
const LEAST_WINDOW = 65_535;
const MOST_WINDOW = 16 * 1024 * 1024;

function prereadSize(value: string): number {
  const bytes = size(0)(value);
  if (bytes > MOST_WINDOW) throw new InvalidValue(`'${value}' must not be over 16m`);
  return Math.max(LEAST_WINDOW, bytes);
}

function common(initial: string, parse: (value: string) => number, doc: string): SettingSpec<number> {
  return { initial, parse, takesEffect: 'restart', section: 'Client side', doc };
}

export const HTTP2_SETTINGS: Http2Table = {
  nginx_http_http2_max_concurrent_streams: common(
    '128',
    integer(1, 10_000),
    "Requests at once on one HTTP/2 connection; more are refused and may be sent again. In `kong.conf` it is nginx's `http2_max_concurrent_streams`.",
  ),
  nginx_http_http2_body_preread_size: common(
    '64k',
    prereadSize,
    "How much of a request body may come over HTTP/2 before anybody reads it: the window of a stream, at least 64k - 1. In `kong.conf` it is nginx's `http2_body_preread_size`.",
  ),
  http2_session_memory: common(
    '16',
    integer(1, 1024),
    "Sluice's own: MiB that one HTTP/2 connection may hold (header tables, streams, what waits to be sent) before new streams are refused with ENHANCE_YOUR_CALM; each stream has its part of it for a response that is read ahead of a slow client, and request bodies that are kept for an upstream may take as much once more before they stream.",
  ),
  http2_reset_burst: common(
    '1000',
    integer(1),
    "Sluice's own: how many streams a client may take back at once before its connection is closed (rapid reset, CVE-2023-44487).",
  ),
  http2_reset_rate: common(
    '33',
    integer(1),
    "Sluice's own: how many streams a second a client may take back for good.",
  ),
};
