/** One stream as plugins see it. */
import type { Route } from '../../entities/route.ts';
import type { Service } from '../../entities/service.ts';
import type { Client, StreamExchange } from '../../plugins/kit/exchange.ts';
import { LogView } from '../plugins/log-view.ts';
import { requestId } from '../request-id.ts';
import type { Stream } from './stream.ts';

export class StreamView implements StreamExchange {
  readonly id = requestId();
  readonly shared = new Map<string, unknown>();
  readonly log = new LogView();
  readonly #stream: Stream;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  get client(): Client {
    const { arrival, socketIp, tls, context } = this.#stream;
    const { clientIp: ip, clientPort: port } = arrival;
    return { ip, port, socketIp, tls, trusted: context.trusts(socketIp) };
  }

  get transport(): StreamExchange['transport'] {
    const { transport, route } = this.#stream;
    const passes = transport === 'tls' && route?.entity.protocols.includes('tls_passthrough') === true;
    return passes ? 'tls_passthrough' : transport;
  }

  get serverName(): string {
    return this.#stream.serverName;
  }

  get route(): Route | null {
    return this.#stream.route?.entity ?? null;
  }

  get service(): Service | null {
    return this.#stream.route?.service?.entity ?? null;
  }

  get status(): number {
    return this.#stream.status;
  }

  get bytesSent(): number {
    return this.#stream.bytesSent;
  }

  get bytesReceived(): number {
    return this.#stream.bytesReceived;
  }

  get startedAt(): number {
    return performance.timeOrigin + this.#stream.startedAt;
  }

  get upstream(): string {
    return this.#stream.upstream;
  }
}
