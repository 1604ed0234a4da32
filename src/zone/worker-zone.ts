/**
 * The counters of the data plane: one region of shared memory, one stripe of cells for each worker.
 *
 * Only its own worker writes a stripe, so a cell needs no atomic operation: an increment is a load, an add and a
 * store on memory that no other core writes. Whoever reads sums over the stripes and may be one event behind.
 * Cells are 64-bit floats because a 32-bit counter of requests wraps within a day: an aligned 8-byte store is one
 * instruction on every platform that Node supports, and integers are exact up to 2^53.
 * A stripe fills whole cache lines, so that workers do not take lines from each other.
 *
 * The main thread zeroes a stripe's gauges when its worker has died; counters go on, since a scrape must not see
 * them fall.
 */

/** Cells of a stripe. Counters only rise; the gauges (from `active` to `revision`) are zeroed when their worker dies. */
export const CELL = {
  /** Client connections accepted by the kernel's listener. */
  accepted: 0,
  /** Client connections taken into service (accepted less those refused by a limit). */
  handled: 1,
  /** Requests whose head was read completely, or that were answered with an error of the parser. */
  requests: 2,
  /** Exchanges cut off after the response's head was sent. */
  broken: 3,
  /** Attempts on an upstream after the first one of an exchange. */
  retries: 4,
  /** Upstream connections opened. */
  upstreamConnects: 5,
  /** Requests sent on a reused upstream connection. */
  upstreamReuses: 6,
  /** Octets of response bodies. */
  bytesOut: 7,
  /** HTTP/2 connections that were closed for a breach of the protocol or of a limit. */
  http2Errors: 8,
  /** HTTP/2 connections that were closed because they brought far more frames than requests. */
  http2Floods: 9,
  /** HTTP/2 requests that their clients took back, or whose body broke its word. */
  http2Resets: 10,
  /** Tries on an upstream that ended in its TLS handshake: broken, refused, or the upstream is not who it must be. */
  upstreamTlsFailures: 11,
  /** Datagrams from clients that were not passed on: no session could be had, or the upstream is not ready. */
  datagramsDropped: 12,
  /** Streams that ended before they reached an upstream: no route, a limit, no peer. */
  streamsRefused: 13,
  /** TCP and TLS connections of `stream_listen`, and UDP sessions. */
  streamsHandled: 14,
  /** Connections to listeners with `proxy_protocol` from strangers, or without a good header. */
  proxyHeadersRefused: 15,

  /** Open client connections, idle ones included. */
  active: 16,
  /** Connections on which a request head is being read. */
  reading: 17,
  /** Connections on which an exchange is in progress. */
  writing: 18,
  /** Idle keep-alive connections. */
  waiting: 19,
  /** Upgraded connections (WebSocket); also counted in `writing`. */
  tunnels: 20,
  /** Idle upstream connections in the pool. */
  upstreamIdle: 21,
  /** Open HTTP/2 streams of clients. */
  http2Streams: 22,
  /** TLS handshakes with clients that are in flight. */
  tlsHandshaking: 24,
  /** Open UDP sessions. */
  udpSessions: 26,
  /** Open connections of `stream_listen`. */
  streams: 27,
  /** Upstreams that the worker balances by what it knows itself, for want of room in the zone of targets. */
  balancedAlone: 23,

  /** Time of the worker's last heartbeat, by `lib/monotonic.ts`. */
  heartbeat: 28,
  /** Revision of the snapshot that the worker serves. */
  revision: 29,
  /** Which plugin of a user's runs in this moment (`BundledPlugin.cell`); 0: none. */
  pluginRunning: 30,
  /** Calls of filters of users' plugins: stands still while one of them blocks. */
  pluginCalls: 31,

  /** TLS handshakes with clients that were completed, and those of them that resumed a session. */
  tlsHandshakes: 32,
  tlsResumed: 33,
  /** Connections of a TLS listener that came to no handshake: broken, slow, too many, without a certificate for them. */
  tlsFailures: 34,
  /** Errors of users' plugins outside of any request: in timers, in promises that nobody waits for. */
  pluginFaults: 45,
} as const;

export type CellName = keyof typeof CELL;
export type Cell = (typeof CELL)[CellName];

/** Cells from this one up to the other are gauges, the rest are counters. */
const FIRST_GAUGE = 16;
const AFTER_GAUGES = 32;
/** 48 cells of 8 bytes: six cache lines. */
const STRIPE_CELLS = 48;
const STRIPE_BYTES = STRIPE_CELLS * Float64Array.BYTES_PER_ELEMENT;

/** One worker's stripe, as that worker sees it. */
export class WorkerZone {
  readonly workerId: number;
  readonly cells: Float64Array;
  readonly #node: Float64Array;

  constructor(buffer: SharedArrayBuffer, workerId: number) {
    this.workerId = workerId;
    this.#node = new Float64Array(buffer);
    this.cells = new Float64Array(buffer, workerId * STRIPE_BYTES, STRIPE_CELLS);
  }

  /** A stripe of its own, for tests and for code that runs without a supervisor. */
  static standalone(): WorkerZone {
    return new WorkerZone(new SharedArrayBuffer(STRIPE_BYTES), 0);
  }

  increment(cell: Cell): void {
    this.cells[cell]! += 1;
  }

  decrement(cell: Cell): void {
    this.cells[cell]! -= 1;
  }

  add(cell: Cell, amount: number): void {
    this.cells[cell]! += amount;
  }

  set(cell: Cell, value: number): void {
    this.cells[cell] = value;
  }

  get(cell: Cell): number {
    return this.cells[cell]!;
  }

  /** Of all workers of the node, for its bounds: may be one event of each other worker behind. */
  nodeSum(cell: Cell): number {
    const all = this.#node;
    let total = 0;
    for (let at: number = cell; at < all.length; at += STRIPE_CELLS) total += all[at]!;
    return total;
  }
}

/** All stripes of the node, as the main thread sees them. */
export class NodeZone {
  readonly buffer: SharedArrayBuffer;
  readonly #stripes: readonly WorkerZone[];

  /** @param workers number of stripes; worker ids are 0 … workers − 1. */
  constructor(workers: number) {
    this.buffer = new SharedArrayBuffer(workers * STRIPE_BYTES);
    this.#stripes = Array.from({ length: workers }, (_, id) => new WorkerZone(this.buffer, id));
  }

  stripe(workerId: number): WorkerZone {
    const stripe = this.#stripes[workerId];
    if (stripe === undefined) throw new RangeError(`no worker ${workerId}`);
    return stripe;
  }

  sum(cell: Cell): number {
    let total = 0;
    for (const stripe of this.#stripes) total += stripe.get(cell);
    return total;
  }

  /** After a worker's death: its connections are gone, what it counted stays. */
  clearGauges(workerId: number): void {
    this.stripe(workerId).cells.fill(0, FIRST_GAUGE, AFTER_GAUGES);
  }
}
