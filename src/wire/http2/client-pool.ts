/**
 * HTTP/2 sessions of one worker to its upstreams, each shared by as many streams as its peer takes.
 *
 * A stream goes to the session that was given room last, so that quiet ones shrink by their idle time-out. When none has
 * room it waits, and sessions are made for as many as wait; whoever comes free first takes them. So a peer that takes
 * one stream at a time gets as many connections as there are requests, up to `MAX_SESSIONS`, and one that takes a hundred
 * gets one for a hundred.
 *
 * When an address has left the names that had it (`leave`), its sessions take no stream any more and close after their
 * last; if it comes back, it gets new ones.
 */
import { CELL } from '../../zone/worker-zone.ts';
import type { ClientStreamHandler } from '../message.ts';
import type { Destination } from '../tls/destination.ts';
import type { UpstreamTrust } from '../tls/upstream-trust.ts';
import type { ClientShared, StreamTimeouts } from './client-context.ts';
import { connectError, timeoutError } from './client-errors.ts';
import { Http2ClientSession } from './client-session.ts';
import { Http2ClientStream } from './client-stream.ts';

export interface Http2PoolOptions {
  /** Idle sessions to one endpoint; 0 keeps none. */
  readonly size: number;
  /** Requests that one session serves. */
  readonly maxRequests: number;
  /** Milliseconds; 0 keeps a session as long as the upstream does. */
  readonly idleMs: number;
}

/** Sessions to one endpoint; beyond it streams wait for a place. */
const MAX_SESSIONS = 1024;
/** Streams that a session is made for before its peer has said how many it takes. */
const LIKELY_STREAMS = 100;
/** Longer than this a timer is never armed for; stands for "for ever". */
const NO_LIMIT_MS = 2 ** 31;

/** Sessions of one destination. */
class Place {
  readonly destination: Destination;
  readonly port: Port;
  readonly sessions = new Set<Http2ClientSession>();
  /** Those that have room, the one to take last. */
  readonly free: Http2ClientSession[] = [];
  readonly waiting = new Set<Http2ClientStream>();
  connecting = 0;
  /** Time-out of the last connect, for those that follow from it. */
  connectMs = 0;
  /** Streams that the peer took last time. */
  likely = LIKELY_STREAMS;
  readonly abandoned: (stream: Http2ClientStream) => void;

  constructor(destination: Destination, port: Port, abandoned: (stream: Http2ClientStream) => void) {
    this.destination = destination;
    this.port = port;
    this.abandoned = abandoned;
  }
}

/** What is open to one address and port. */
interface Port {
  /** The address has left its name. */
  left: boolean;
  plain: Place | null;
  readonly byTrust: Map<UpstreamTrust, Map<string, Place>>;
  /** Idle sessions on whatever terms, the one that has waited longest first. */
  readonly idle: Set<Http2ClientSession>;
}

export class Http2Pool {
  readonly #shared: ClientShared;
  #options: Http2PoolOptions;
  /** By address, then by port: a look-up makes no string. */
  readonly #ports = new Map<string, Map<number, Port>>();
  /** Handlers that get `onReadEnd` at the end of this turn. */
  #unflushed: ClientStreamHandler[] = [];
  #draining = false;

  constructor(shared: Omit<ClientShared, 'readEnded'>, options: Http2PoolOptions) {
    this.#shared = { ...shared, readEnded: (handler) => this.#readEnded(handler) };
    this.#options = options;
  }

  set options(options: Http2PoolOptions) {
    this.#options = options;
  }

  /** A stream to a destination: on a session that has room (`ready`), or as soon as one has. */
  take(to: Destination, timeouts: StreamTimeouts, handler: ClientStreamHandler): Http2ClientStream {
    return this.#take(to, timeouts, handler, false);
  }

  /** The same for a try that replaces one whose session was dead, or refused it: the next failure counts. */
  fresh(to: Destination, timeouts: StreamTimeouts, handler: ClientStreamHandler): Http2ClientStream {
    return this.#take(to, timeouts, handler, true);
  }

  /** Ends idle sessions now, others after their last stream. */
  drain(): void {
    this.#draining = true;
    this.#each((session) => {
      if (!session.connecting) session.retire();
    });
  }

  /** Lets go of what is open to an address. @param stays a port that it does not concern. */
  leave(host: string, stays: (port: number) => boolean): void {
    const ports = this.#ports.get(host);
    if (ports === undefined) return;
    for (const [number, port] of ports) {
      if (stays(number)) continue;
      port.left = true;
      ports.delete(number);
      // What is still connecting serves those that wait for it, and closes after them.
      for (const { sessions } of placesOf(port)) {
        sessions.forEach((session) => {
          if (!session.connecting) session.retire();
        });
      }
    }
    if (ports.size === 0) this.#ports.delete(host);
  }

  /** Ends all sessions, whatever is on them. */
  close(): void {
    this.#draining = true;
    this.#each((session) => session.destroy('the gateway stops'));
  }

  #each(visit: (session: Http2ClientSession) => void): void {
    const sessions: Http2ClientSession[] = [];
    for (const ports of this.#ports.values())
      for (const port of ports.values()) for (const place of placesOf(port)) sessions.push(...place.sessions);
    // What is visited may be taken away meanwhile.
    sessions.forEach(visit);
  }

  #take(
    to: Destination,
    timeouts: StreamTimeouts,
    handler: ClientStreamHandler,
    again: boolean,
  ): Http2ClientStream {
    const place = this.#place(to);
    const stream = new Http2ClientStream(this.#shared, timeouts, handler, again, place.abandoned);
    const session = place.waiting.size === 0 ? this.#roomiest(place) : undefined;
    if (session !== undefined) {
      stream.open(session, this.#enter(place, session, stream));
    } else {
      place.waiting.add(stream);
      stream.wait();
      this.#connectForWaiting(place, timeouts.connect);
    }
    return stream;
  }

  /** The session to take; those that have no room any more leave the list on the way. */
  #roomiest(place: Place): Http2ClientSession | undefined {
    for (let session = place.free.at(-1); session !== undefined; session = place.free.at(-1)) {
      if (session.hasRoom) return session;
      unlist(place, session);
    }
    return undefined;
  }

  #enter(place: Place, session: Http2ClientSession, stream: Http2ClientStream): boolean {
    const reused = session.enter(stream, this.#options.maxRequests);
    if (reused) this.#shared.zone.increment(CELL.upstreamReuses);
    if (!session.hasRoom) unlist(place, session);
    return reused;
  }

  #serveWaiting(place: Place): void {
    for (const stream of place.waiting) {
      const session = this.#roomiest(place);
      if (session === undefined) return;
      place.waiting.delete(stream);
      stream.opened(session, this.#enter(place, session, stream));
    }
  }

  /** Makes sessions until there may be one for each stream that waits. */
  #connectForWaiting(place: Place, connectMs: number): void {
    // A peer that takes no streams now would not take them on another connection.
    for (const session of place.sessions) if (session.takesNone) return;
    while (place.connecting * place.likely < place.waiting.size && place.sessions.size < MAX_SESSIONS) {
      place.connecting++;
      place.connectMs = connectMs;
      this.#shared.zone.increment(CELL.upstreamConnects);
      place.sessions.add(
        new Http2ClientSession(place.destination, connectMs, this.#shared, {
          opened: (session) => this.#opened(place, session),
          changed: (session) => this.#changed(place, session),
          idle: (session) => this.#idle(place.port, session),
          busy: (session) => place.port.idle.delete(session),
          closed: (session, wasConnecting) => this.#closed(place, session, wasConnecting),
        }),
      );
    }
  }

  #opened(place: Place, session: Http2ClientSession): void {
    place.connecting--;
    place.likely = Math.max(1, session.limit);
    this.#changed(place, session);
    if (place.waiting.size > 0) this.#connectForWaiting(place, place.connectMs);
  }

  #changed(place: Place, session: Http2ClientSession): void {
    if (!session.hasRoom) return unlist(place, session);
    if (!session.listed) {
      session.listed = true;
      place.free.push(session);
    }
    this.#serveWaiting(place);
  }

  /** For how long a session may wait for its next stream. */
  #idle({ idle, left }: Port, session: Http2ClientSession): number {
    const { size, idleMs } = this.#options;
    if (this.#draining || left || size === 0) return 0;
    idle.add(session);
    // A client may choose the server name: so the bound is that of the port.
    if (idle.size > size) idle.values().next().value?.retire();
    return idleMs === 0 ? NO_LIMIT_MS : idleMs;
  }

  #closed(place: Place, session: Http2ClientSession, wasConnecting: boolean): void {
    place.sessions.delete(session);
    unlist(place, session);
    if (wasConnecting) place.connecting--;
    if (wasConnecting && place.connecting === 0) {
      const waiting = [...place.waiting];
      place.waiting.clear();
      const error = session.timedOut
        ? timeoutError('connect', place.connectMs, false)
        : connectError(session.cause);
      for (const stream of waiting) stream.fail(error);
    }
    if (place.waiting.size > 0) this.#connectForWaiting(place, place.connectMs);
    if (place.sessions.size === 0 && place.waiting.size === 0) this.#forget(place);
  }

  /** A stream gave up while it waited. */
  #abandoned(place: Place, stream: Http2ClientStream): void {
    place.waiting.delete(stream);
    if (place.waiting.size > 0 || !this.#draining) return;
    for (const session of place.sessions) if (session.connecting) session.destroy('nobody waits for it');
  }

  #place(to: Destination): Place {
    const port = this.#port(to);
    if (to.tls === null) return (port.plain ??= this.#newPlace(to, port));
    const { trust, serverName } = to.tls;
    let names = port.byTrust.get(trust);
    if (names === undefined) port.byTrust.set(trust, (names = new Map()));
    let place = names.get(serverName);
    if (place === undefined) names.set(serverName, (place = this.#newPlace(to, port)));
    return place;
  }

  #newPlace(to: Destination, port: Port): Place {
    const place: Place = new Place(to, port, (stream) => this.#abandoned(place, stream));
    return place;
  }

  #port({ host, port }: Destination): Port {
    let ports = this.#ports.get(host);
    if (ports === undefined) this.#ports.set(host, (ports = new Map()));
    let known = ports.get(port);
    if (known === undefined)
      ports.set(port, (known = { left: false, plain: null, byTrust: new Map(), idle: new Set() }));
    return known;
  }

  #forget({ destination: { host, port: number, tls }, port }: Place): void {
    if (tls === null) port.plain = null;
    else {
      const names = port.byTrust.get(tls.trust);
      names?.delete(tls.serverName);
      if (names?.size === 0) port.byTrust.delete(tls.trust);
    }
    if (port.left || port.plain !== null || port.byTrust.size > 0) return;
    const ports = this.#ports.get(host);
    ports?.delete(number);
    if (ports?.size === 0) this.#ports.delete(host);
  }

  #readEnded(handler: ClientStreamHandler): void {
    if (this.#unflushed.length === 0) setImmediate(() => this.#flush());
    if (this.#unflushed.at(-1) !== handler) this.#unflushed.push(handler);
  }

  #flush(): void {
    const handlers = this.#unflushed;
    this.#unflushed = [];
    for (const handler of handlers) {
      try {
        handler.onReadEnd();
      } catch (error) {
        this.#shared.onDefect(error);
      }
    }
  }
}

function unlist(place: Place, session: Http2ClientSession): void {
  if (!session.listed) return;
  session.listed = false;
  place.free.splice(place.free.lastIndexOf(session), 1);
}

function placesOf({ plain, byTrust }: Port): Place[] {
  const places = plain === null ? [] : [plain];
  for (const names of byTrust.values()) places.push(...names.values());
  return places;
}
