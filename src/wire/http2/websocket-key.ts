/** The HTTP/1.1 half of a WebSocket handshake (RFC 6455 §4.2.2), which HTTP/2 does without (RFC 8441 §5). */
import { createHash, randomBytes } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function newKey(): string {
  return randomBytes(16).toString('base64');
}

export function acceptOf(key: string): string {
  return createHash('sha1').update(key).update(GUID).digest('base64');
}
