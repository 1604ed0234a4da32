/** IP addresses and networks. */
import { type IpFamily, parseIp } from '../../lib/ip.ts';

const words = new Uint32Array(4);

/** Without a zone (`fe80::1%eth0`), which is no address of a rule. */
function familyOf(text: string): IpFamily | 0 {
  return parseIp(text, 0, text.length, words);
}

function isIpOrCidr(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash === -1) return familyOf(text) !== 0;
  const family = familyOf(text.slice(0, slash));
  const prefix = text.slice(slash + 1);
  // Digits as written: no sign, no leading zero.
  return family !== 0 && /^(?:0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}

export function checkIpOrCidr(text: string): string | null {
  return isIpOrCidr(text) ? null : `invalid ip or cidr range: '${text}'`;
}
