import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { TimerWheel } from '../../lib/timer-wheel.ts';
import { selfSigned } from '../../lib/x509/self-signed.ts';
import { TicketKeyRing, TicketKeys } from '../../zone/ticket-keys.ts';
import { CELL, WorkerZone } from '../../zone/worker-zone.ts';
import { type Arrival, TlsAcceptor } from './acceptor.ts';
import { ServerContexts } from './server-contexts.ts';

test('at the limit the oldest handshake gives way, and who speaks is served', async () => {
  const zone = WorkerZone.standalone();
  const wheel = new TimerWheel();
  const reasons: string[] = [];
  const pair = selfSigned({ names: ['a.test'], from: new Date(0), until: new Date(4e12) });
  const acceptor: TlsAcceptor = new TlsAcceptor({
    wheel,
    zone,
    contexts: () => contexts,
    certificateFor: () => null,
    timeoutMs: () => 60_000,
    limit: 3,
    onFailure: (reason) => reasons.push(reason),
  });
  const contexts = new ServerContexts({
    material: {
      suite: {},
      pairs: [pair],
      verify: null,
      tickets: true,
      ticketSeconds: 60,
      stapling: false,
    },
    tickets: new TicketKeys(new TicketKeyRing().memory),
    resolve: (text) => text,
    onServer: (server) => acceptor.attach(server),
  });
  const arrivals: Arrival[] = [];
  const profile = { name: 'test', alpn: [], verify: null };
  await using server = createServer({ allowHalfOpen: true }, (socket) =>
    acceptor.accept(
      socket,
      () => profile,
      'somebody',
      (arrival) => {
        arrivals.push(arrival);
        if (arrival.kind === 'secure') arrival.socket.end().resume();
      },
    ),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const silent: Socket[] = [];
  for (let i = 0; i < 4; i++) {
    silent.push(connect({ port, host: '127.0.0.1' }).resume());
    await once(server, 'connection');
  }
  await once(silent[0] as Socket, 'close');
  assert.deepEqual(reasons, ['too many handshakes at once: the oldest gave way']);
  assert.deepEqual([acceptor.pending, zone.get(CELL.tlsHandshaking), zone.get(CELL.tlsFailures)], [3, 3, 1]);
  const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'a.test' });
  await once(client, 'secureConnect');
  client.end().resume();
  await once(client, 'close');
  const secure = arrivals.find(({ kind }) => kind === 'secure');
  assert.ok(secure?.kind === 'secure');
  assert.deepEqual(
    [secure.facts.serverName, secure.facts.version, secure.protocol],
    ['a.test', 'TLSv1.3', ''],
  );
  acceptor.close();
  assert.equal(acceptor.pending, 0);
  for (const socket of silent) socket.destroy();
  wheel.close();
});
