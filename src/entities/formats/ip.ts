/** IP addresses and networks. */
import { isIPv4, isIPv6 } from 'node:net';

function isIp(text: string): boolean {
  // Node accepts a zone (`fe80::1%eth0`), which is no address of a rule.
  return isIPv4(text) || (isIPv6(text) && !text.includes('%'));
}

function isIpOrCidr(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash === -1) return isIp(text);
  const address = text.slice(0, slash);
  const prefix = text.slice(slash + 1);
  // Digits as written: no sign, no leading zero.
  return (
    isIp(address) && /^(?:0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (isIPv4(address) ? 32 : 128)
  );
}

export function checkIpOrCidr(text: string): string | null {
  return isIpOrCidr(text) ? null : `invalid ip or cidr range: '${text}'`;
}
