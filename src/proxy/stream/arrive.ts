/**
 * The arrive step of TCP: an accepted connection, its PROXY header, and on a listener with `ssl` its ClientHello, whose
 * server name says which route ends the TLS or passes it through.
 */
import * as net from 'node:net';
import type { Listener } from '../../settings/settings.ts';
import { keepAlive, listenOn, MODE_EVERYBODY } from '../../wire/listen.ts';
import { type Blindness, peek, type Sight } from '../../wire/peek.ts';
import {
  type ClientHelloResult,
  MAX_CLIENT_HELLO_BYTES,
  readClientHello,
} from '../../wire/tls/client-hello.ts';
import type { ServiceTarget } from '../../snapshot/snapshot.ts';
import { CELL } from '../../zone/worker-zone.ts';
import { type ArrivalFacts, arrivalOf, readProxyHeader } from '../arrival.ts';
import { connectStream } from './connect.ts';
import { prereadStream } from './plugins.ts';
import { routeStream } from './route.ts';
import { Stream, type StreamContext } from './stream.ts';

/** nginx's `proxy_protocol_timeout` and `preread_timeout`. */
const FIRST_BYTES_MS = 30_000;

/** @param onAccept is told of each connection. @throws Error when the address cannot be had. */
export async function openTcp(
  listener: Listener,
  context: StreamContext,
  onAccept: () => void,
): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    onAccept();
    accept(socket, listener, context);
  });
  await listenOn(server, listener, { shared: true, mode: MODE_EVERYBODY });
  server.on('error', (error) => context.errorLog.log('alert', 'accept', `accept failed: ${error.message}`));
  return server;
}

function accept(socket: net.Socket, listener: Listener, context: StreamContext): void {
  const facts = arrivalOf(socket, listener);
  socket.on('error', ignore);
  if (facts === null) {
    socket.destroy();
    return;
  }
  if (context.zone.nodeSum(CELL.streams) >= context.bounds.connections) {
    context.zone.increment(CELL.streamsRefused);
    context.errorLog.log('warn', 'stream_connections', 'too many connections: stream_connections is reached');
    socket.destroy();
    return;
  }
  keepAlive(socket, listener);
  const stream = new Stream(context, addressesOf(facts), 'tcp');
  const gone = (): void => stream.end();
  stream.cut = () => socket.destroy();
  socket.once('close', gone);
  const ready = (): void => {
    if (listener.ssl) return readHello(stream, socket, gone);
    serve(stream, socket, gone);
  };
  if (!listener.proxyProtocol) return ready();
  const trusts = (address: string): boolean => context.trusts(address);
  readProxyHeader(socket, facts, { wheel: context.wheel, trusts, timeoutMs: FIRST_BYTES_MS }, (result) => {
    if (typeof result === 'string') {
      context.zone.increment(CELL.proxyHeadersRefused);
      return stream.refuse(400, 'proxy_header', result, 'info');
    }
    stream.arrival = addressesOf(result);
    ready();
  });
}

/** nginx's stream module has the client from the PROXY header, wherever there is one of a trusted peer. */
function addressesOf({ proxied, remoteAddress, remotePort, localAddress, localPort }: ArrivalFacts) {
  const clientIp = proxied?.remoteAddress ?? remoteAddress;
  const clientPort = proxied?.remotePort ?? remotePort;
  return { clientIp, clientPort, localIp: localAddress, localPort };
}

function serve(stream: Stream, socket: net.Socket, gone: () => void): void {
  const service = routeStream(stream);
  if (service === null) {
    socket.destroy();
    return;
  }
  connectAllowed(stream, socket, service, gone);
}

/** Behind plugins, which may make it wait: the client may go meanwhile. */
function connectAllowed(stream: Stream, socket: net.Socket, service: ServiceTarget, gone: () => void): void {
  prereadStream(stream, () => {
    socket.off('close', gone);
    connectStream(stream, socket, service);
  });
}

const BLIND: Readonly<Record<Blindness, string>> = {
  timeout: 'no ClientHello in time',
  limit: 'oversized ClientHello',
  gone: 'the client went before its ClientHello was complete',
};

function readHello(stream: Stream, socket: net.Socket, gone: () => void): void {
  const { wheel, tls } = stream.context;
  const limits = { wheel, timeoutMs: FIRST_BYTES_MS, limit: MAX_CLIENT_HELLO_BYTES };
  peek(socket, lookForHello, limits, (seen) => {
    if (!seen.ok) return stream.refuse(400, 'stream_hello', BLIND[seen.why], 'info');
    if (seen.value.kind !== 'hello') {
      const why = seen.value.kind === 'fault' ? seen.value.reason : 'no ClientHello';
      return stream.refuse(400, 'stream_hello', why, 'info');
    }
    const { hello } = seen.value;
    stream.transport = 'tls';
    stream.serverName = hello.serverName;
    const service = routeStream(stream);
    if (service === null) return;
    if (stream.route?.entity.protocols.includes('tls') !== true) {
      return connectAllowed(stream, socket, service, gone);
    }
    tls.terminate(socket, hello, stream.arrival.clientIp, (secure, facts) => {
      if (secure === null) return stream.refuse(400, 'stream_handshake', 'no TLS with the client', 'info');
      secure.on('error', ignore);
      stream.tls = facts;
      stream.cut = () => secure.destroy();
      prereadStream(stream, () => {
        socket.off('close', gone);
        connectStream(stream, secure, service);
      });
    });
  });
}

function lookForHello(seen: Buffer): Sight<ClientHelloResult> | null {
  const value = readClientHello(seen);
  return value.kind === 'incomplete' ? null : { value, taken: 0 };
}

/** What becomes of a connection is told by its 'close'. */
function ignore(): void {}
