/** Request ids: 32 lower-case hex digits of 16 random bytes, drawn from a pooled buffer. */
export function requestId(): string {
  throw new Error('not built yet');
}
