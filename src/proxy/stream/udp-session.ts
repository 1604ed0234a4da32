/**
 * One UDP session: what one client sends goes to one upstream, and what that upstream answers goes back.
 *
 * It ends when nothing moves for the service's `read_timeout`, when the upstream has sent the datagrams that
 * `proxy_responses` expects of it, or when the upstream's host says that nobody listens there.
 */
import type * as dgram from 'node:dgram';
import { createSocket } from 'node:dgram';
import { WheelTimer } from '../../lib/timer-wheel.ts';
import type { ServiceTarget } from '../../snapshot/snapshot.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { prereadStream } from './plugins.ts';
import type { Stream } from './stream.ts';
import { StreamTargets, type StreamTarget } from './targets.ts';
import { literal, MAX_QUEUED } from './udp-sockets.ts';

/** What may wait until the upstream's name is resolved. */
const MAX_WAITING = 16;
const MAX_WAITING_BYTES = 64 * 1024;

export interface UdpSessionEnds {
  /** False: it could not be sent. */
  readonly toClient: (datagram: Buffer) => boolean;
  readonly onEnd: () => void;
}

export class UdpSession {
  readonly #stream: Stream;
  readonly #service: ServiceTarget;
  readonly #ends: UdpSessionEnds;
  readonly #timer: WheelTimer;
  readonly #targets: StreamTargets;
  #upstream: dgram.Socket | null = null;
  #ready = false;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #requests = 0;
  #responses = 0;

  constructor(stream: Stream, service: ServiceTarget, ends: UdpSessionEnds) {
    this.#stream = stream;
    this.#service = service;
    this.#ends = ends;
    this.#targets = new StreamTargets(stream, service);
    this.#timer = new WheelTimer(() => stream.end());
    stream.cut = () => this.#close();
  }

  begin(): void {
    this.#arm();
    if (this.#service.tls) {
      return this.#stream.refuse(502, 'udp_tls', 'a service of tls cannot take datagrams');
    }
    prereadStream(this.#stream, () => this.#targets.next((target) => this.#open(target)));
  }

  end(): void {
    this.#stream.end();
  }

  fromClient(datagram: Buffer): void {
    if (this.#stream.over) return this.#drop();
    this.#arm();
    this.#stream.bytesReceived += datagram.length;
    if (this.#ready) return this.#send(datagram);
    if (this.#waiting.length >= MAX_WAITING || this.#waitingBytes + datagram.length > MAX_WAITING_BYTES) {
      return this.#drop();
    }
    this.#waiting.push(datagram);
    this.#waitingBytes += datagram.length;
  }

  #open({ ip, port }: StreamTarget): void {
    if (this.#stream.over) return;
    this.#stream.upstream = `udp://${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
    const socket = createSocket({ type: ip.includes(':') ? 'udp6' : 'udp4', lookup: literal });
    this.#upstream = socket;
    socket.on('error', (error) => this.#failed(error));
    socket.on('message', (datagram) => this.#fromUpstream(datagram));
    // A connected socket hears only its peer, and is told when nobody listens there.
    socket.connect(port, ip, () => {
      if (this.#stream.over) return;
      this.#ready = true;
      const waiting = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      for (const datagram of waiting) this.#send(datagram);
    });
  }

  #send(datagram: Buffer): void {
    const socket = this.#upstream;
    if (socket === null || socket.getSendQueueSize() > MAX_QUEUED) return this.#drop();
    this.#requests++;
    socket.send(datagram, (error: NodeJS.ErrnoException | null) => {
      if (error === null) return;
      // Too large for the way to this upstream: it is lost as a network loses it.
      if (error.code === 'EMSGSIZE') this.#drop();
      else this.#failed(error);
    });
    if (this.#stream.context.bounds.responses === 0) setImmediate(() => this.#stream.end());
  }

  #fromUpstream(datagram: Buffer): void {
    if (this.#stream.over) return;
    this.#arm();
    // Datagrams know no connection: the first answer says that somebody listens.
    if (this.#responses++ === 0) this.#targets.connected();
    if (this.#ends.toClient(datagram)) this.#stream.bytesSent += datagram.length;
    else this.#drop();
    const { responses } = this.#stream.context.bounds;
    if (responses !== null && this.#responses >= responses * this.#requests) this.#stream.end();
  }

  #failed(error: Error): void {
    if (this.#stream.over) return;
    this.#stream.log('error', 'udp_upstream', `upstream: ${error.message}`);
    if (this.#responses === 0) this.#targets.failed();
    this.#stream.status = 502;
    this.#stream.end();
  }

  #drop(): void {
    this.#stream.context.zone.increment(CELL.datagramsDropped);
  }

  #arm(): void {
    this.#stream.context.wheel.arm(this.#timer, this.#service.timeouts.read);
  }

  #close(): void {
    this.#stream.context.wheel.remove(this.#timer);
    this.#waiting = [];
    this.#upstream?.close();
    this.#upstream = null;
    this.#ends.onEnd();
  }
}
