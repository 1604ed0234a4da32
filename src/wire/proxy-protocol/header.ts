/**
 * The PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt): what a load balancer says of the connection
 * that it passes on, in front of its first byte.
 *
 * Strict, since these addresses decide who is let in: one spelling for each address and port, every length within the
 * header, a checksum that is there must fit. Lenient only where the specification asks for it: `LOCAL` and `UNKNOWN`
 * say nothing (the balancer speaks for itself, as in its health checks), and families, transports and TLVs that are not
 * known are passed over.
 */
import { formatIp, isMapped, parseIp } from '../../lib/ip.ts';
import { crc32c } from './crc32c.ts';

export interface ProxiedAddresses {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** What stands in front of a connection. */
export type ProxyHeader =
  | {
      readonly ok: true;
      /** Bytes of the header. */
      readonly length: number;
      /** Null: the sender speaks for itself, or of a connection that is no TCP. */
      readonly addresses: ProxiedAddresses | null;
    }
  | { readonly ok: false; readonly fault: string };

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const PREFIX = Buffer.from('PROXY ', 'latin1');
/** Of version 1, with its CRLF. */
const MAX_LINE = 107;
const FIXED = 16;
/** What may follow the fixed part of version 2; nginx has the same bound. */
const MAX_REST = 4096;
/** No header is longer. */
export const MAX_PROXY_HEADER = FIXED + MAX_REST;

const LOCAL = 0;
const PROXY = 1;
const STREAM = 1;
const TYPE_CRC32C = 3;
/** Octets of a block of addresses, by family: unspecified, IPv4, IPv6, unix. */
const BLOCK = [0, 12, 36, 216];

/** Reads the header at the start of `bytes`; null when more bytes are needed to say. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | null {
  if (startsLike(bytes, PREFIX)) return bytes.length < PREFIX.length ? null : parseLine(bytes);
  if (startsLike(bytes, SIGNATURE)) return bytes.length < FIXED ? null : parseBinary(bytes);
  return fault('there is no PROXY header');
}

function startsLike(bytes: Buffer, wanted: Buffer): boolean {
  const length = Math.min(bytes.length, wanted.length);
  return bytes.compare(wanted, 0, length, 0, length) === 0;
}

function fault(text: string): ProxyHeader {
  return { ok: false, fault: text };
}

// Version 1

function parseLine(bytes: Buffer): ProxyHeader | null {
  const end = bytes.indexOf('\r\n', 0, 'latin1');
  if (end < 0 || end + 2 > MAX_LINE) {
    return bytes.length >= MAX_LINE || end >= 0 ? fault('its line is longer than 107 octets') : null;
  }
  const line = bytes.toString('latin1', PREFIX.length, end);
  const length = end + 2;
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return { ok: true, length, addresses: null };
  const parts = line.split(' ');
  const [protocol, source = '', destination = '', sourcePort = '', destinationPort = ''] = parts;
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : 0;
  if (family === 0) return fault('its line names neither TCP4, TCP6 nor UNKNOWN');
  const remoteAddress = addressOf(source, family);
  const localAddress = addressOf(destination, family);
  const remotePort = portOf(sourcePort);
  const localPort = portOf(destinationPort);
  if (parts.length !== 5 || remoteAddress === null || localAddress === null) {
    return fault('its line does not have two addresses and two ports');
  }
  if (remotePort === null || localPort === null) return fault('a port of its line is none');
  return { ok: true, length, addresses: { remoteAddress, remotePort, localAddress, localPort } };
}

const words = new Uint32Array(4);

function addressOf(text: string, family: 4 | 6): string | null {
  return parseIp(text, 0, text.length, words) === family ? addressText(family) : null;
}

/** An IPv4 address in an IPv6 one is the client that other listeners would see as IPv4. */
function addressText(family: 4 | 6): string {
  if (family === 4 || !isMapped(words)) return formatIp(family, words);
  words[0] = words[3] ?? 0;
  return formatIp(4, words);
}

function portOf(text: string): number | null {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}

// Version 2

function parseBinary(bytes: Buffer): ProxyHeader | null {
  const command = bytes[12] ?? 0;
  const familyAndTransport = bytes[13] ?? 0;
  const rest = bytes.readUInt16BE(14);
  if (command >> 4 !== 2) return fault(`its version is ${command >> 4}`);
  if ((command & 15) > PROXY) return fault(`its command is ${command & 15}`);
  if (rest > MAX_REST) return fault(`it is ${FIXED + rest} octets long`);
  const length = FIXED + rest;
  if (bytes.length < length) return null;
  const header = bytes.subarray(0, length);
  const family = familyAndTransport >> 4;
  const block = BLOCK[family];
  // A family that is not known has a block of a length that is not known: there is no way to its TLVs.
  if (block === undefined) return { ok: true, length, addresses: null };
  // Of a LOCAL header everything behind the fixed part may be left out.
  if (rest < block) {
    return (command & 15) === LOCAL && rest === 0
      ? { ok: true, length, addresses: null }
      : fault('its addresses are cut off');
  }
  const problem = tlvProblem(header, FIXED + block);
  if (problem !== null) return fault(problem);
  const known =
    (command & 15) === PROXY && (familyAndTransport & 15) === STREAM && (family === 1 || family === 2);
  return { ok: true, length, addresses: known ? binaryAddresses(header, family === 1 ? 4 : 6) : null };
}

function binaryAddresses(header: Buffer, family: 4 | 6): ProxiedAddresses {
  const size = family === 4 ? 4 : 16;
  return {
    remoteAddress: wordsAt(header, FIXED, family),
    localAddress: wordsAt(header, FIXED + size, family),
    remotePort: header.readUInt16BE(FIXED + 2 * size),
    localPort: header.readUInt16BE(FIXED + 2 * size + 2),
  };
}

function wordsAt(header: Buffer, at: number, family: 4 | 6): string {
  for (let i = 0; i < (family === 4 ? 1 : 4); i++) words[i] = header.readUInt32BE(at + 4 * i);
  return addressText(family);
}

/** Each TLV ends where the next begins and the last one where the header does; a checksum among them must fit. */
function tlvProblem(header: Buffer, from: number): string | null {
  let at = from;
  while (at < header.length) {
    if (at + 3 > header.length) return 'a TLV of it is cut off';
    const type = header[at];
    const size = header.readUInt16BE(at + 1);
    const end = at + 3 + size;
    if (end > header.length) return 'a TLV of it is cut off';
    if (type === TYPE_CRC32C && (size !== 4 || crc32c(header, at + 3, end) !== header.readUInt32BE(at + 3))) {
      return 'its checksum does not fit';
    }
    at = end;
  }
  return null;
}
