/** Headers of version 2 of the PROXY protocol, good and bad, for tests. */
import { parseIp } from '../../lib/ip.ts';
import { crc32c } from './crc32c.ts';
import type { ProxiedAddresses } from './header.ts';

export type Tlv = readonly [type: number, value: Buffer];

export interface V2Options {
  readonly version?: number;
  /** 0 is LOCAL, 1 (unless said) PROXY. */
  readonly command?: number;
  readonly addresses?: ProxiedAddresses;
  /** In place of `addresses`: a family by its number, and its block as it is. */
  readonly family?: number;
  readonly block?: Buffer;
  readonly transport?: number;
  readonly tlvs?: readonly Tlv[];
  readonly checksum?: 'good' | 'bad';
}

export function v2Header(options: V2Options): Buffer {
  const { addresses, tlvs = [], checksum } = options;
  const family =
    options.family ?? (addresses === undefined ? 0 : addresses.remoteAddress.includes(':') ? 2 : 1);
  const block = options.block ?? (addresses === undefined ? Buffer.alloc(0) : blockOf(addresses));
  const sum: Tlv[] = checksum === undefined ? [] : [[3, Buffer.alloc(4)]];
  const rest = Buffer.concat([block, ...[...sum, ...tlvs].map(([type, value]) => tlv(type, value))]);
  const fixed = Buffer.from('\r\n\r\n\0\r\nQUIT\n\0\0\0\0', 'latin1');
  fixed[12] = ((options.version ?? 2) << 4) | (options.command ?? 1);
  fixed[13] = (family << 4) | (options.transport ?? (family === 0 ? 0 : 1));
  fixed.writeUInt16BE(rest.length, 14);
  const header = Buffer.concat([fixed, rest]);
  if (checksum !== undefined) {
    const at = fixed.length + block.length + 3;
    header.writeUInt32BE((crc32c(header) ^ (checksum === 'bad' ? 1 : 0)) >>> 0, at);
  }
  return header;
}

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value]);
}

function blockOf({ remoteAddress, localAddress, remotePort, localPort }: ProxiedAddresses): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(remotePort, 0);
  ports.writeUInt16BE(localPort, 2);
  return Buffer.concat([octets(remoteAddress), octets(localAddress), ports]);
}

function octets(address: string): Buffer {
  const words = new Uint32Array(4);
  const family = parseIp(address, 0, address.length, words);
  const bytes = Buffer.alloc(family === 4 ? 4 : 16);
  for (let i = 0; i < bytes.length / 4; i++) bytes.writeUInt32BE(words[i] ?? 0, 4 * i);
  return bytes;
}
