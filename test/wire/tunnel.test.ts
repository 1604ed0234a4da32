/** Upgraded connections: bytes right behind the heads, half-closed sides, resets, and answers that are no upgrade. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CELL } from '../../src/zone/worker-zone.ts';
import { startPlane } from '../support/data-plane.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const UPGRADE = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

test('bytes right behind both heads come first, then both ways', async () => {
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    peer.write(`${SWITCH}early-up`);
    const head = peer.received.indexOf('\r\n\r\n') + 4;
    await peer.bytes(head + 'early-downlater'.length);
    peer.write(`<${peer.received.toString('latin1', head)}>`);
    await once(peer.socket, 'end');
    peer.end();
  });
  await using plane = await startPlane(upstream.port);
  for (const pieces of [
    [`${UPGRADE}early-down`],
    [UPGRADE.slice(0, 20), `${UPGRADE.slice(20)}early`, '-down'],
  ]) {
    await using client = await connectRaw(plane.port);
    for (const piece of pieces) {
      client.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const head = await client.readResponse();
    assert.deepEqual(
      [head.status, head.header('upgrade'), head.header('connection')],
      [101, 'websocket', 'Upgrade'],
    );
    assert.equal((await client.readBytes(8)).toString(), 'early-up');
    client.write('later');
    assert.equal((await client.readBytes(17)).toString(), '<early-downlater>');
    assert.equal(plane.zone.get(CELL.tunnels), 1);
    client.end();
    assert.equal(await client.closed(), 'end');
    await plane.settled();
  }
});

test('either side may finish first, and the other still speaks', async () => {
  for (const first of ['client', 'upstream'] as const) {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(SWITCH);
      if (first === 'upstream') {
        peer.end();
        const head = peer.received.indexOf('\r\n\r\n') + 4;
        await peer.bytes(head + 4);
        return;
      }
      await once(peer.socket, 'end');
      peer.end('last');
    });
    await using plane = await startPlane(upstream.port);
    await using client = await connectRaw(plane.port);
    client.socket.allowHalfOpen = true;
    client.write(UPGRADE);
    assert.equal((await client.readResponse()).status, 101);
    if (first === 'client') {
      client.end();
      assert.equal((await client.readBytes(4)).toString(), 'last');
    } else {
      assert.equal(await client.closed(), 'end');
      client.write('last');
      await waitFor(() => upstream.peers[0]?.received.toString('latin1').endsWith('last'));
      client.end();
    }
    await plane.settled();
    await waitFor(() => upstream.open === 0);
  }
});

test('a client that finished before the switch has finished behind it', async () => {
  await using upstream = await startRawUpstream(async (peer) => {
    await peer.heads(1);
    // Long enough for the FIN behind it.
    await delay(100);
    peer.write(SWITCH);
    await once(peer.socket, 'end');
    peer.end('last words');
  });
  await using plane = await startPlane(upstream.port);
  await using client = await connectRaw(plane.port);
  client.write(UPGRADE);
  client.end();
  await client.readResponse();
  assert.equal((await client.readBytes(10)).toString(), 'last words');
  assert.equal(await client.closed(), 'end');
  await plane.settled();
});

test('a reset on either side ends the other', async () => {
  for (const side of ['client', 'upstream'] as const) {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(SWITCH);
      await once(peer.socket, 'end');
      peer.end();
    });
    await using plane = await startPlane(upstream.port);
    await using client = await connectRaw(plane.port);
    client.write(UPGRADE);
    await client.readResponse();
    if (side === 'client') client.reset();
    else upstream.peers[0]?.reset();
    await waitFor(() => upstream.open === 0, { what: "the upstream's socket to close" });
    if (side === 'upstream') await client.closed();
    client.end();
    await plane.settled();
  }
});

const POST = `POST /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 10\r\n\r\nabc`;

test('an answer that is no upgrade, or another one, or too early', async () => {
  for (const [request, answer, wanted] of [
    [UPGRADE, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200],
    [UPGRADE, 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', 502],
    [UPGRADE, 'HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n', 502],
    // The request has not been sent to its end: what follows of it is no protocol of the tunnel.
    [POST, SWITCH, 502],
  ] as const) {
    await using upstream = await startRawUpstream(async (peer) => {
      await peer.heads(1);
      peer.write(answer);
      await once(peer.socket, 'end');
      peer.end();
    });
    await using plane = await startPlane(upstream.port, { route: { requestBuffering: false } });
    await using client = await connectRaw(plane.port);
    client.write(request);
    assert.equal((await client.readResponse()).status, wanted, answer);
    client.reset();
    await plane.settled();
  }
});
