/** How an HTTP error reads to a gRPC client: `grpc-status` and `grpc-message` (Kong's table; gRPC's HTTP/2 protocol). */

const STATUS: ReadonlyMap<number, number> = new Map([
  [200, 0],
  [400, 3],
  [401, 16],
  [403, 7],
  [404, 5],
  [409, 6],
  [429, 8],
  [499, 1],
  [500, 13],
  [501, 12],
  [503, 14],
  [504, 4],
]);

const UNKNOWN = 2;

/** The gRPC status code of an HTTP status. */
export function grpcStatus(httpStatus: number): number {
  const exact = STATUS.get(httpStatus);
  if (exact !== undefined) return exact;
  if (httpStatus >= 500 && httpStatus <= 599) return 13;
  if (httpStatus >= 400 && httpStatus <= 499) return 3;
  return httpStatus >= 200 && httpStatus <= 299 ? 0 : UNKNOWN;
}

/** Percent-encodes a message as `grpc-message` must be: all but printable ASCII, and the percent sign. */
export function grpcMessage(message: string): string {
  if (/^[ -$&-~]*$/.test(message)) return message;
  let encoded = '';
  for (const byte of Buffer.from(message, 'utf8')) {
    const literal = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += literal ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Is this the Content-Type of a gRPC request (`application/grpc`, `application/grpc+proto`, …)? */
export function isGrpcContentType(contentType: string | undefined): boolean {
  if (contentType === undefined || contentType.length < 16) return false;
  return contentType.slice(0, 16).toLowerCase() === 'application/grpc';
}
