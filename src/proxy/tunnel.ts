/**
 * The rest of an upgraded connection's life: bytes both ways until both sides are done.
 *
 * Each direction stops its source while its sink is slow. FIN is passed on, so that either side may finish first. A
 * tunnel on which nothing moves for the service's read time-out ends, as nginx ends it.
 *
 * There may be tens of thousands, nearly all of them silent: what one needs is three small objects and a timer.
 */
import { WheelTimer } from '../lib/timer-wheel.ts';
import type { Tunnel, TunnelHandler } from '../wire/message.ts';
import type { Exchange } from './exchange.ts';

const DEFAULT_IDLE_MS = 60_000;

export function spliceTunnels(exchange: Exchange, client: Tunnel, upstream: Tunnel): void {
  new Splice(exchange, client, upstream).start();
}

class Splice {
  /** Sides whose connection is there. */
  open = 2;
  readonly #exchange: Exchange;
  readonly #client: Tunnel;
  readonly #upstream: Tunnel;
  readonly #idleMs: number;
  readonly #timer: WheelTimer;

  constructor(exchange: Exchange, client: Tunnel, upstream: Tunnel) {
    this.#exchange = exchange;
    this.#client = client;
    this.#upstream = upstream;
    this.#idleMs = exchange.service?.timeouts.read ?? DEFAULT_IDLE_MS;
    this.#timer = new WheelTimer(() => this.destroy());
  }

  start(): void {
    this.#exchange.context.tunnels.add(this);
    this.#arm();
    this.#client.start(new Direction(this, this.#client, this.#upstream, null));
    this.#upstream.start(new Direction(this, this.#upstream, this.#client, this.#exchange));
  }

  destroy(): void {
    this.#client.destroy();
    this.#upstream.destroy();
  }

  /** Something moves. */
  moved(): void {
    if (this.open === 2) this.#arm();
  }

  /** One side's connection is gone. */
  closed(): void {
    if (--this.open > 0) {
      // The other side may still have to take what came before; the timer bounds how long, whatever it sends.
      this.#arm();
      this.#client.finish();
      this.#upstream.finish();
      return;
    }
    const { wheel, tunnels } = this.#exchange.context;
    wheel.remove(this.#timer);
    tunnels.delete(this);
    this.#exchange.finish();
  }

  #arm(): void {
    this.#exchange.context.wheel.arm(this.#timer, this.#idleMs);
  }
}

class Direction implements TunnelHandler {
  readonly #splice: Splice;
  readonly #from: Tunnel;
  readonly #to: Tunnel;
  /** Where octets are counted, of the direction that is counted. */
  readonly #counted: Exchange | null;
  #ended = false;

  constructor(splice: Splice, from: Tunnel, to: Tunnel, counted: Exchange | null) {
    this.#splice = splice;
    this.#from = from;
    this.#to = to;
    this.#counted = counted;
  }

  onData(chunk: Buffer): boolean {
    this.#splice.moved();
    if (this.#counted !== null) this.#counted.bytesSent += chunk.length;
    const held = this.#to.write(chunk);
    if (!this.#to.writable) this.#from.pause();
    return held;
  }

  /** `from` takes bytes again: what comes from the other side may flow. */
  onDrain(): void {
    this.#to.resume();
  }

  onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#to.end();
  }

  onClose(): void {
    this.#splice.closed();
  }
}
