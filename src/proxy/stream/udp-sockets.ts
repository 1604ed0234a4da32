/** What the sockets of UDP listeners and sessions have in common. */
import { isIPv6 } from 'node:net';

/** Bytes that may wait in one of them. */
export const MAX_QUEUED = 1024 * 1024;

/** Addresses are addresses here: nothing is asked, and no thread of the system's resolver is taken. */
export function literal(
  address: string,
  _options: unknown,
  answer: (error: Error | null, address: string, family: number) => void,
): void {
  answer(null, address, isIPv6(address) ? 6 : 4);
}
