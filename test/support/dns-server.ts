/**
 * A name server for tests, on UDP and TCP of one port of 127.0.0.1: it answers from a table and counts what it is
 * asked. What no decent server does, a test does itself on the bytes (`raw`).
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type Answer, decode, encode, type Question, TRUNCATED_RESPONSE } from 'dns-packet';
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

/** Records; `drop`: no answer at all; others as they say. */
export type DnsAnswer =
  | readonly DnsRecord[]
  | 'drop'
  | 'servfail'
  | 'refused'
  /** FORMERR to a query with EDNS0, else the records. */
  | { readonly withoutEdns: readonly DnsRecord[] }
  /** Nothing over UDP, the records over TCP. */
  | { readonly truncate: readonly DnsRecord[] }
  /** Nothing there (or no such name), with an SOA that says for how many seconds that may be believed. */
  | { readonly nothing: 'no records' | 'no name'; readonly soa: number }
  /** Messages to send: as they are over UDP, with their length over TCP. */
  | { readonly raw: (query: Buffer, tcp: boolean) => readonly Buffer[] };

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

const RESPONSE = 0x8180;
const FORMERR = 1;
const SERVFAIL = 2;
const NXDOMAIN = 3;
const REFUSED = 5;

export function encodedRecord(record: DnsRecord, question: string): Answer {
  const { type, ttl = 60, name = question } = record;
  if (type === 'CNAME') return { type, name, ttl, data: record.target };
  if (type !== 'SRV') return { type, name, ttl, data: record.ip };
  const { target, port, priority = 0, weight = 1 } = record;
  return { type, name, ttl, data: { target: target === '' ? '.' : target, port, priority, weight } };
}

interface Reply {
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
}

function replyTo(query: Buffer, question: Question, reply: Reply): Buffer {
  const { rcode = 0, truncated = false, answers = [], authorities = [] } = reply;
  return encode({
    type: 'response',
    id: query.readUInt16BE(0),
    flags: (RESPONSE & 0x7fff) | (truncated ? TRUNCATED_RESPONSE : 0) | rcode,
    questions: [question],
    answers: [...answers],
    authorities: [...authorities],
  });
}

function respond(server: Pick<DnsServer, 'zone' | 'asked'>, query: Buffer, tcp: boolean): readonly Buffer[] {
  const { questions = [], additionals = [] } = decode(query);
  const question = questions[0]!;
  const name = question.name.toLowerCase();
  server.asked.push(`${question.type} ${name}${tcp ? ' tcp' : ''}`);
  const answer = server.zone[`${question.type} ${name}`];
  if (answer === 'drop') return [];
  if (typeof answer === 'object' && 'raw' in answer) return answer.raw(query, tcp);
  return [replyTo(query, question, replyOf(server, answer, { name, tcp, edns: additionals.length > 0 }))];
}

function replyOf(
  { zone }: Pick<DnsServer, 'zone'>,
  answer: Exclude<DnsAnswer, 'drop' | { readonly raw: unknown }> | undefined,
  { name, tcp, edns }: { readonly name: string; readonly tcp: boolean; readonly edns: boolean },
): Reply {
  if (answer === 'servfail') return { rcode: SERVFAIL };
  if (answer === 'refused') return { rcode: REFUSED };
  if (answer === undefined) {
    const exists = Object.keys(zone).some((key) => key.endsWith(` ${name}`));
    return { rcode: exists ? 0 : NXDOMAIN };
  }
  if ('nothing' in answer) {
    const minimum = answer.soa;
    const data = {
      mname: 'ns.test',
      rname: 'root.test',
      serial: 1,
      refresh: 1,
      retry: 1,
      expire: 1,
      minimum,
    };
    const authorities: Answer[] = [{ type: 'SOA', name: 'test', ttl: minimum, data }];
    return { rcode: answer.nothing === 'no name' ? NXDOMAIN : 0, authorities };
  }
  if ('truncate' in answer && !tcp) return { truncated: true };
  if ('withoutEdns' in answer && edns) return { rcode: FORMERR };
  const records =
    'truncate' in answer ? answer.truncate : 'withoutEdns' in answer ? answer.withoutEdns : answer;
  return { answers: records.map((record) => encodedRecord(record, name)) };
}

/** Messages over TCP have two bytes of length before them. */
function serveTcp(server: Pick<DnsServer, 'zone' | 'asked'>, socket: Socket): void {
  let received = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const length = received.readUInt16BE(0);
      const answers = respond(server, received.subarray(2, 2 + length), true);
      received = received.subarray(2 + length);
      for (const answer of answers) {
        const before = Buffer.alloc(2);
        before.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([before, answer]));
      }
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
    for (const answer of respond(server, query, false)) udp.send(answer, from.port, from.address);
  });
  tcp.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveTcp(server, socket);
  });
  return server;
}
