/**
 * `isIP` of `node:net` without its regular expression: that of IPv6 becomes 150 KiB of machine code and takes 1.8 MiB to
 * compile, in every thread that asks about one text that is no IPv4 address.
 */
import { type IpFamily, parseIp } from './ip.ts';

const words = new Uint32Array(4);
const ZONE = /^[0-9a-zA-Z.:-]+$/;

/** 4 or 6, also with a zone (`fe80::1%eth0`); 0: not an address. */
export function ipFamily(text: string): IpFamily | 0 {
  const zone = text.indexOf('%');
  if (zone === -1) return parseIp(text, 0, text.length, words);
  return ZONE.test(text.slice(zone + 1)) && parseIp(text, 0, zone, words) === 6 ? 6 : 0;
}
