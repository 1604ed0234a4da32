/**
 * Questions and answers as bytes (RFC 1035, EDNS0 of RFC 6891), on dns-packet.
 *
 * What comes from the network is believed as little as possible: the id and the question are compared as bytes before
 * anything is decoded, only the sections that are read are decoded (a server's odd option behind a good answer harms
 * nothing), and no more records than a name may have addresses. What cannot be decoded is `garbage`, never an exception.
 */
import { randomInt } from 'node:crypto';
import {
  type Answer,
  type DecodedPacket,
  decode,
  encode,
  RECURSION_DESIRED,
  type SoaAnswer,
} from 'dns-packet';

export type QuestionType = 'A' | 'AAAA' | 'SRV' | 'CNAME';

export interface DnsQuery {
  readonly name: string;
  readonly type: QuestionType;
  readonly bytes: Buffer;
}

/** `foreign`: not an answer to this question; `refused`: the server cannot or will not (`rcode` says how). */
export type DnsReply =
  | ({ readonly kind: 'answer' } & DnsAnswer)
  | { readonly kind: 'refused'; readonly rcode: number }
  | { readonly kind: 'truncated' | 'garbage' | 'foreign' };

export interface DnsAnswer {
  readonly answers: readonly Answer[];
  /** False: there is no such name. */
  readonly exists: boolean;
  /** How many seconds it may be believed that something is not there (RFC 2308 §5); null: it is not said. */
  readonly negativeTtl: number | null;
}

/** Octets of an answer over UDP: what passes every usual network whole (the value of DNS flag day 2020). */
const UDP_SIZE = 1232;
const HEADER = 12;
const RESPONSE = 0x8000;
const OPCODE = 0x7800;
const AUTHORITATIVE = 0x0400;
const TRUNCATED = 0x0200;
/** It asks others. */
const RECURSION = 0x0080;
const RCODE = 0x000f;
const NXDOMAIN = 3;
/** Records of an answer that are read, and of the section that has the SOA. */
const MAX_ANSWERS = 1024;
const MAX_AUTHORITIES = 16;
/** Seconds; the first bit of a TTL means 0 (RFC 2181 §8), and no answer is kept longer than a week. */
const MAX_TTL = 7 * 24 * 3600;

/** @param edns without it a server that knows no EDNS0 is asked. */
export function dnsQuery(name: string, type: QuestionType, edns: boolean): DnsQuery {
  const bytes = encode({
    type: 'query',
    id: randomInt(0x10000),
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: edns
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: UDP_SIZE,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  });
  return { name, type, bytes };
}

/** @param message changed by it. */
export function readReply(message: Buffer, query: DnsQuery): DnsReply {
  if (message.length < HEADER || message.readUInt16BE(0) !== query.bytes.readUInt16BE(0)) return FOREIGN;
  const flags = message.readUInt16BE(2);
  if ((flags & RESPONSE) === 0 || (flags & OPCODE) !== 0) return FOREIGN;
  const rcode = flags & RCODE;
  const questions = message.readUInt16BE(4);
  // Servers that do not understand a query may leave its question out.
  if (questions === 0 && rcode !== 0 && rcode !== NXDOMAIN) return { kind: 'refused', rcode };
  if (questions !== 1 || !sameQuestion(message, query)) return FOREIGN;
  if (rcode !== 0 && rcode !== NXDOMAIN) return { kind: 'refused', rcode };
  if ((flags & TRUNCATED) !== 0) return { kind: 'truncated' };
  const reply = read(message, rcode === NXDOMAIN);
  return isReferral(reply, flags) ? { kind: 'refused', rcode } : reply;
}

/**
 * A server that neither has the zone nor asks those that do points elsewhere: that is not "no records" (glibc passes on to the
 * next server, too).
 */
function isReferral(reply: DnsReply, flags: number): boolean {
  if (reply.kind !== 'answer' || !reply.exists || (flags & (AUTHORITATIVE | RECURSION)) !== 0) return false;
  return reply.answers.length === 0 && reply.negativeTtl === null;
}

const FOREIGN: DnsReply = { kind: 'foreign' };

function read(message: Buffer, unknown: boolean): DnsReply {
  message.writeUInt16BE(Math.min(message.readUInt16BE(6), MAX_ANSWERS), 6);
  const authorities = Math.min(message.readUInt16BE(8), MAX_AUTHORITIES);
  message.writeUInt16BE(0, 8);
  message.writeUInt16BE(0, 10);
  const answers = decoded(message)?.answers;
  if (answers === undefined) return { kind: 'garbage' };
  return {
    kind: 'answer',
    // A class that nobody asked for is no answer.
    answers: answers.filter((record) => 'class' in record && record.class === 'IN'),
    exists: !unknown,
    negativeTtl: soaTtl(message, authorities),
  };
}

function soaTtl(message: Buffer, authorities: number): number | null {
  if (authorities === 0) return null;
  message.writeUInt16BE(authorities, 8);
  const records = decoded(message)?.authorities ?? [];
  const soa = records.find((record): record is SoaAnswer => record.type === 'SOA');
  return soa === undefined ? null : Math.min(seconds(soa.ttl), seconds(soa.data.minimum));
}

/** Null: it is none. dns-packet reads past the end of some records without a word. */
function decoded(message: Buffer): DecodedPacket | null {
  try {
    const packet = decode(message);
    return decode.bytes > message.length ? null : packet;
  } catch {
    return null;
  }
}

export function seconds(ttl: number | undefined): number {
  if (ttl === undefined || !(ttl >= 0) || ttl >= 2 ** 31) return 0;
  return Math.min(ttl, MAX_TTL);
}

/** The question comes back as it was asked; a name in other letters' case is the same name. */
function sameQuestion(message: Buffer, { bytes }: DnsQuery): boolean {
  let at = HEADER;
  while (bytes[at] !== 0) at += bytes[at]! + 1;
  const end = at + 5;
  if (message.length < end) return false;
  for (let i = HEADER; i < end; i++) {
    const asked = bytes[i]!;
    const got = message[i]!;
    if (asked !== got && !(i < at && lower(asked) === lower(got))) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
