/**
 * Reload without loss: 2,000 routes, traffic all the time, every way to reload, and things that must change nothing.
 * Every answer carries the revision that made it, in the path that the upstream saw.
 */
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { Agent, get, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Gateway, sluice, startGateway } from '../support/gateway.ts';
import { startStreams } from './support/streams.ts';
import { waitFor } from '../support/wait.ts';

const ROUTES = 2000;

function config(upstream: number, revision: number): Record<string, unknown> {
  const routes = Array.from({ length: ROUTES }, (_, n) => ({ name: `r${n}`, paths: [`/r${n}`] }));
  return {
    _format_version: '3.0',
    services: [{ name: 's', url: `http://127.0.0.1:${upstream}/${revision}`, routes }],
  };
}

interface Answer {
  readonly revision: number;
  readonly via: string;
  readonly socket: Socket;
}

async function ask(url: string, agent: Agent | false): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get(url, { agent }, resolve).on('error', reject);
  const response = await promise;
  const { socket } = response;
  let text = '';
  for await (const chunk of response) text += String(chunk);
  assert.equal(response.statusCode, 200, text);
  return { revision: Number(text.split('/')[1]), via: String(response.headers['via']), socket };
}

/** Asks without a pause until stopped. */
class Load implements AsyncDisposable {
  answers = 0;
  readonly failures: unknown[] = [];
  readonly sockets = new Set<Socket>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 6 });
  readonly #clients: Promise<void>[];
  #stop = false;

  constructor(url: string) {
    const kept = Array.from({ length: 6 }, (_, n) => this.#keepAsking(url, n * 331));
    const fresh = Array.from({ length: 2 }, (_, n) => this.#reconnect(url, n * 977));
    this.#clients = [...kept, ...fresh].map((client) =>
      client.catch((error: unknown) => void this.failures.push(error)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
  }

  async #keepAsking(url: string, offset: number): Promise<void> {
    const latest = new WeakMap<Socket, number>();
    for (let n = offset; !this.#stop; n++) {
      const { revision, socket } = await ask(`${url}/r${n % ROUTES}`, this.#agent);
      assert.ok(revision >= (latest.get(socket) ?? 0), 'a connection never goes back to an older revision');
      latest.set(socket, revision);
      this.sockets.add(socket);
      this.answers += 1;
    }
  }

  async #reconnect(url: string, offset: number): Promise<void> {
    for (let n = offset; !this.#stop; n++) {
      await ask(`${url}/r${n % ROUTES}`, false);
      this.answers += 1;
      await delay(5);
    }
  }
}

async function served(gateway: Gateway): Promise<number> {
  return (await ask(`${gateway.url}/r0`, false)).revision;
}

test('twenty reloads in three ways under traffic, with mistakes in between, lose nothing', async () => {
  await using streams = await startStreams();
  await using gateway = await startGateway({
    config: config(streams.port, 0),
    settings: { nginx_worker_processes: 2 },
  });
  await using socket = await streams.webSocket(`${gateway.url}/r1`);
  await using events = await streams.events(`${gateway.url}/r2`);
  await using load = new Load(gateway.url);
  for (let revision = 1; revision <= 20; revision++) {
    const next = config(streams.port, revision);
    if (revision % 3 === 0) {
      await gateway.writeConfig(next);
      gateway.signal('SIGHUP');
      await waitFor(async () => (await served(gateway)) === revision, { what: `revision ${revision}` });
    } else if (revision % 3 === 1) {
      await gateway.reload(next);
    } else {
      assert.equal((await gateway.postConfig(next)).status, 201);
    }
    assert.deepEqual([await served(gateway), await served(gateway)], [revision, revision], 'on any worker');
    if (revision === 8) await refuseInvalid(gateway, streams.port);
    await socket.echo(`after ${revision}`);
  }
  await waitFor(() => load.answers > 200 || load.failures.length > 0, { what: 'requests meanwhile' });
  await load[Symbol.asyncDispose]();
  assert.deepEqual(load.failures, []);
  assert.equal(load.sockets.size, 6, 'no connection was closed');
  const count = events.count();
  await waitFor(() => events.count() > count + 5, { what: 'the stream to go on' });
  events.assertWhole();
});

/** An invalid file and an invalid body change nothing, and say all that is wrong. */
async function refuseInvalid(gateway: Gateway, upstream: number): Promise<void> {
  const before = await served(gateway);
  const wrong = `_format_version: "3.0"\nservices:\n- name: s\n  url: http://127.0.0.1:${upstream}\n  retries: x\n  read_timeout: y\n`;
  await gateway.writeConfig(wrong);
  const reload = await sluice(['reload', '-c', gateway.conf]);
  assert.equal(reload.code, 1);
  assert.match(reload.stderr, /kong\.yml:5:\d+: .*retries/);
  assert.match(reload.stderr, /kong\.yml:6:\d+: .*read_timeout/);
  const posted = await gateway.postConfig(wrong);
  assert.equal(posted.status, 400);
  assert.match(JSON.stringify(posted.body), /retries/);
  assert.equal(await served(gateway), before);
}

test('live settings take effect, and with one that needs a restart nothing does', async () => {
  await using streams = await startStreams();
  await using gateway = await startGateway({ config: config(streams.port, 1) });
  assert.match((await ask(`${gateway.url}/r5`, false)).via, /sluice\//);
  await appendFile(gateway.conf, 'server_name = kong\n');
  await gateway.reload();
  assert.match((await ask(`${gateway.url}/r5`, false)).via, /kong\/3\.9/);

  await appendFile(gateway.conf, 'server_name = sluice\nmax_header_lines = 50\n');
  await gateway.writeConfig(config(streams.port, 2));
  const { code, stderr } = await sluice(['reload', '-c', gateway.conf]);
  assert.equal(code, 1);
  assert.match(stderr, /needs a restart: max_header_lines changed/);
  const { revision, via } = await ask(`${gateway.url}/r5`, false);
  assert.equal(revision, 1);
  assert.match(via, /kong\/3\.9/);
});
