/**
 * A name server for tests, on UDP and TCP of one port of 127.0.0.1: it answers from a table and counts what it is
 * asked. The encoder knows what the tests need (RFC 1035 §4, RFC 2782) and nothing else.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { freePort } from './ports.ts';

export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly ip: string; readonly ttl?: number; readonly name?: string }
  | { readonly type: 'CNAME'; readonly target: string; readonly ttl?: number; readonly name?: string }
  | {
      readonly type: 'SRV';
      readonly target: string;
      readonly port: number;
      readonly priority?: number;
      readonly weight?: number;
      readonly ttl?: number;
      readonly name?: string;
    };

/** Records; `drop`: no answer at all; `servfail`; `truncate`: nothing over UDP, the records over TCP. */
export type DnsAnswer =
  | readonly DnsRecord[]
  | 'drop'
  | 'servfail'
  | { readonly truncate: readonly DnsRecord[] };

export interface DnsServer extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:PORT`, for the setting `dns_resolver`. */
  readonly address: string;
  /**
   * `TYPE name` (lower case) to its answer. A name that is in no key does not exist (NXDOMAIN); one that has other
   * types only answers with no records.
   */
  zone: Record<string, DnsAnswer>;
  /** What was asked, in order: `TYPE name`, with ` tcp` behind when it came over TCP. */
  readonly asked: string[];
}

const TYPES: Readonly<Record<string, number>> = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 };
const TYPE_NAMES = new Map(Object.entries(TYPES).map(([name, number]) => [number, name]));
const FLAGS = { answer: 0x8180, truncated: 0x0200, servfail: 2, nxdomain: 3 };

const u16 = (value: number): number[] => [value >> 8, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

function encodeName(name: string): number[] {
  const bytes: number[] = [];
  for (const label of name.split('.')) {
    if (label !== '') bytes.push(label.length, ...Buffer.from(label));
  }
  return [...bytes, 0];
}

/** An IPv6 address by the URL parser's canonical text, of which only `::` needs care. */
function encodeIp(ip: string): number[] {
  if (!ip.includes(':')) return ip.split('.').map(Number);
  const [head = '', tail = ''] = ip.split('::');
  const groups = (text: string): number[] =>
    text
      .split(':')
      .filter((group) => group !== '')
      .map((group) => parseInt(group, 16));
  const zeros = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: zeros }, () => 0), ...groups(tail)];
  return all.flatMap(u16);
}

function encodeRecord(record: DnsRecord, question: string): number[] {
  const { type, ttl = 60, name = question } = record;
  let data: number[];
  if (type === 'SRV') {
    const { priority = 0, weight = 1, port, target } = record;
    data = [...u16(priority), ...u16(weight), ...u16(port), ...encodeName(target)];
  } else data = type === 'CNAME' ? encodeName(record.target) : encodeIp(record.ip);
  return [...encodeName(name), ...u16(TYPES[type]!), ...u16(1), ...u32(ttl), ...u16(data.length), ...data];
}

interface Question {
  readonly name: string;
  readonly type: string;
  /** Offset of the first byte behind the question. */
  readonly end: number;
}

function decodeQuestion(query: Buffer): Question {
  const labels: string[] = [];
  let at = 12;
  while (query[at] !== 0) {
    const length = query[at]!;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  const number = query.readUInt16BE(at + 1);
  return {
    name: labels.join('.').toLowerCase(),
    type: TYPE_NAMES.get(number) ?? String(number),
    end: at + 5,
  };
}

function reply(query: Buffer, end: number, flags: number, records: readonly number[][]): Buffer {
  const header = [...query.subarray(0, 2), ...u16(flags), ...u16(1), ...u16(records.length), 0, 0, 0, 0];
  return Buffer.from([...header, ...query.subarray(12, end), ...records.flat()]);
}

function respond(server: Pick<DnsServer, 'zone' | 'asked'>, query: Buffer, tcp: boolean): Buffer | null {
  const { name, type, end } = decodeQuestion(query);
  server.asked.push(`${type} ${name}${tcp ? ' tcp' : ''}`);
  const answer = server.zone[`${type} ${name}`];
  if (answer === 'drop') return null;
  if (answer === 'servfail') return reply(query, end, FLAGS.answer | FLAGS.servfail, []);
  if (answer === undefined) {
    const exists = Object.keys(server.zone).some((key) => key.endsWith(` ${name}`));
    return reply(query, end, exists ? FLAGS.answer : FLAGS.answer | FLAGS.nxdomain, []);
  }
  const records = 'truncate' in answer ? answer.truncate : answer;
  if ('truncate' in answer && !tcp) return reply(query, end, FLAGS.answer | FLAGS.truncated, []);
  const encoded = records.map((record) => encodeRecord(record, name));
  return reply(query, end, FLAGS.answer, encoded);
}

/** Messages over TCP have two bytes of length before them. */
function serveTcp(server: Pick<DnsServer, 'zone' | 'asked'>, socket: Socket): void {
  let received = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const length = received.readUInt16BE(0);
      const answer = respond(server, received.subarray(2, 2 + length), true);
      received = received.subarray(2 + length);
      if (answer !== null) socket.write(Buffer.concat([Buffer.from(u16(answer.length)), answer]));
    }
  });
}

/** Ports of this process that may be free for TCP and taken for UDP. */
const ATTEMPTS = 50;

/** UDP and TCP on one port, which a server that comes back finds free. @param wanted 0: any free one. */
async function bindBoth(wanted: number): Promise<{ udp: UdpSocket; tcp: Server; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = wanted === 0 ? await freePort() : wanted;
    const udp = createSocket('udp4');
    const tcp = createServer();
    try {
      tcp.listen(port, '127.0.0.1');
      await once(tcp, 'listening');
      udp.bind(port, '127.0.0.1');
      await once(udp, 'listening');
      return { udp, tcp, port };
    } catch (error) {
      tcp.close();
      udp.close();
      if (wanted !== 0 || attempt === ATTEMPTS) throw error;
    }
  }
}

/** @param wanted port; 0: any free one. */
export async function startDnsServer(zone: Record<string, DnsAnswer> = {}, wanted = 0): Promise<DnsServer> {
  const { udp, tcp, port } = await bindBoth(wanted);
  const sockets = new Set<Socket>();
  const server: DnsServer = {
    port,
    address: `127.0.0.1:${port}`,
    zone,
    asked: [],
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = [once(udp, 'close'), once(tcp, 'close')];
      udp.close();
      tcp.close();
      await Promise.all(closed);
    },
  };
  udp.on('message', (query: Buffer, from: RemoteInfo) => {
    const answer = respond(server, query, false);
    if (answer !== null) udp.send(answer, from.port, from.address);
  });
  tcp.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveTcp(server, socket);
  });
  return server;
}
