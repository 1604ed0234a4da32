/** What a listener asks of those who come, by where it can be reached from. */
import type { Settings } from '../../settings/settings.ts';
import { isLoopback } from '../access/peer.ts';

/** `closed`: it is bound to an address that others reach, and nobody has said what shall be asked of them. */
export type Mode = 'open' | 'tokens' | 'closed';

/** @param address that the listener is bound to. */
export function listenerMode({ admin_auth }: Settings, address: string): Mode {
  if (admin_auth !== null) return admin_auth === 'on' ? 'tokens' : 'open';
  return isLoopback(address) ? 'open' : 'closed';
}
