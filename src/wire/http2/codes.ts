/**
 * Numbers of HTTP/2 under the names that `node:http2` gives them (RFC 9113 §7 and §6.1; states are nghttp2's). Copied,
 * because that module takes some 7 MiB of a thread, which a gateway without HTTP/2 connections need not have
 * (docs/adr/0015-lazy-builtins.md).
 */
export const constants = {
  NGHTTP2_NO_ERROR: 0,
  NGHTTP2_PROTOCOL_ERROR: 1,
  NGHTTP2_INTERNAL_ERROR: 2,
  NGHTTP2_REFUSED_STREAM: 7,
  NGHTTP2_CANCEL: 8,
  NGHTTP2_ENHANCE_YOUR_CALM: 11,
  NGHTTP2_FLAG_END_STREAM: 1,
  NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE: 6,
} as const;
