/**
 * What a stream of `node:http2` is destroyed with to be reset. Not by `close`: it ends the stream properly first, so that
 * what was cut off looks whole; and with CANCEL, on a stream that has trailers to come, it can end the process (an
 * assertion in `Http2Stream::OnTrailers` of Node 26).
 */
import { addAbortSignal, Readable } from 'node:stream';

/** CANCEL: an abort is the one error that `node:http2` makes that code of. */
export const CANCELLED = abortError();
/** Any other error is INTERNAL_ERROR. */
export const BROKEN_OFF = new Error('broken off');

function abortError(): Error {
  const aborted = new Readable({ read() {} }).on('error', () => {});
  addAbortSignal(AbortSignal.abort(), aborted);
  if (aborted.errored === null) throw new Error('an aborted stream has no error');
  return aborted.errored;
}
