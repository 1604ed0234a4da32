/** Algorithms and hash sources as clients see them: who answers whom. Two workers, each request on its own connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { startGateway } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { startEcho, startHttpUpstream, type Echo, type Upstream } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';
import { requestText, send, type Ask } from './support/ask.ts';

const echoes = await Promise.all(['a', 'b', 'c'].map((name) => startEcho({ name })));
const [dead = 0] = await freePorts(1);
const SLOW_MS = 1500;
const slow = await startHttpUpstream((_, response) => {
  setTimeout(() => response.end('slow'), SLOW_MS);
});
const fast = await startHttpUpstream((_, response) => void response.end('fast'));

interface Holder {
  readonly upstream: Upstream;
  /** Requests that wait for their answer. */
  held(): number;
  answerAll(): void;
}

/** Answers nobody until it is told to. */
async function startHolder(): Promise<Holder> {
  const waiting = new Set<() => void>();
  const upstream = await startHttpUpstream((_, response) => {
    const answer = (): void => void response.end('held');
    waiting.add(answer);
    response.on('close', () => waiting.delete(answer));
  });
  return {
    upstream,
    held: () => waiting.size,
    answerAll: () => {
      for (const answer of waiting) answer();
    },
  };
}

const [one, two, three] = await Promise.all([startHolder(), startHolder(), startHolder()]);
const holders = [one, two, three];
const sockets = await Promise.all(
  [1, 2].map(async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    return server;
  }),
);
const portOf = (server: WebSocketServer): number => {
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
};

type Targets = ReadonlyArray<readonly [port: number, weight: number]>;

const all = (weight = 100): Targets => echoes.map(({ port }) => [port, weight] as const);

function balanced(name: string, upstream: object, targets: Targets = all(), paths = [`/${name}`]) {
  return {
    upstream: {
      name,
      ...upstream,
      targets: targets.map(([port, weight]) => ({ target: `127.0.0.1:${port}`, weight })),
    },
    service: { name, host: name, routes: [{ name, paths, strip_path: false }] },
  };
}

const LEAST = { algorithm: 'least-connections' } as const;
const HASHED = {
  ip: { hash_on: 'ip' },
  header: { hash_on: 'header', hash_on_header: 'X-Key' },
  host: { hash_on: 'header', hash_on_header: 'Host' },
  path: { hash_on: 'path' },
  query: { hash_on: 'query_arg', hash_on_query_arg: 'key' },
  capture: { hash_on: 'uri_capture', hash_on_uri_capture: 'id' },
  number: { hash_on: 'uri_capture', hash_on_uri_capture: '1' },
  cookie: { hash_on: 'cookie', hash_on_cookie: 'sid', hash_on_cookie_path: '/cookie' },
  consumer: { hash_on: 'consumer', hash_fallback: 'header', hash_fallback_header: 'X-Key' },
  fallback: { hash_on: 'header', hash_on_header: 'X-None', hash_fallback: 'cookie', hash_on_cookie: 'sid' },
  nothing: { hash_on: 'header', hash_on_header: 'X-None' },
} as const;
const PATHS: Readonly<Record<string, string>> = {
  capture: '~/capture/(?<id>[^/]+)',
  number: '~/number/([^/]+)',
};

const held = (targets: readonly Holder[]): Targets =>
  targets.map(({ upstream }) => [upstream.port, 100] as const);
const configuration = (least: readonly Holder[]): Record<string, unknown> => {
  const cases = [
    ...Object.entries(HASHED).map(([name, upstream]) =>
      balanced(name, upstream, all(), [PATHS[name] ?? `/${name}`]),
    ),
    balanced('held', LEAST, held(least)),
    balanced('weighted', LEAST, [
      [one.upstream.port, 300],
      [two.upstream.port, 100],
      [three.upstream.port, 0],
    ]),
    balanced(
      'tunnels',
      LEAST,
      sockets.map((server) => [portOf(server), 100] as const),
    ),
    balanced('latency', { algorithm: 'latency' }, [
      [slow.port, 100],
      [fast.port, 100],
    ]),
    ...['round-robin', 'least-connections', 'latency'].map((algorithm) =>
      balanced(`dead-${algorithm}`, { algorithm }, [
        [dead, 1000],
        [echoes[0]?.port ?? 0, 1],
      ]),
    ),
    balanced('dead-hash', HASHED.path, [
      [dead, 1000],
      [echoes[0]?.port ?? 0, 1],
    ]),
  ];
  return {
    _format_version: '3.0',
    upstreams: cases.map(({ upstream }) => upstream),
    services: cases.map(({ service }) => service),
  };
};

const gateway = await startGateway({
  config: configuration([one, two]),
  settings: { nginx_worker_processes: 2, trusted_ips: '127.0.0.1', real_ip_header: 'X-Forwarded-For' },
});
const port = gateway.proxyPort;

after(async () => {
  for (const server of sockets) server.close();
  const upstreams = [...echoes, ...holders.map(({ upstream }) => upstream), slow, fast];
  for (const each of [gateway, ...upstreams]) await each[Symbol.asyncDispose]();
});

async function ask(wanted: Ask): Promise<{ name: string; setCookie: string | undefined }> {
  const response = await send(port, { ...wanted, lines: [...(wanted.lines ?? []), 'Connection: close'] });
  assert.equal(response.status, 200, response.text());
  const { name } = JSON.parse(response.text()) as Echo;
  return { name, setCookie: response.all('set-cookie')[0] };
}

let queries = 0;
/** A request whose key is that value. */
const KEYED: ReadonlyArray<readonly [name: keyof typeof HASHED, request: (value: string) => Ask]> = [
  ['ip', (value) => ({ target: '/ip', lines: [`X-Forwarded-For: 10.0.0.${value}`] })],
  ['header', (value) => ({ target: '/header', lines: [`X-Key: ${value}`] })],
  ['host', (value) => ({ target: '/host', host: `h${value}.test` })],
  ['path', (value) => ({ target: `/path/${value}?x=${queries++}` })],
  ['query', (value) => ({ target: `/query?key=${value}` })],
  ['capture', (value) => ({ target: `/capture/${value}` })],
  ['number', (value) => ({ target: `/number/${value}` })],
  ['cookie', (value) => ({ target: '/cookie', lines: [`Cookie: a=b; sid=${value}`] })],
  ['consumer', (value) => ({ target: '/consumer', lines: [`X-Key: ${value}`] })],
  ['fallback', (value) => ({ target: '/fallback', lines: [`Cookie: sid=${value}`] })],
];

for (const [name, request] of KEYED) {
  test(`hash on ${name}: a value has its target, whatever worker takes it, and values spread`, async () => {
    const seen = new Map<string, string>();
    for (const round of [1, 2]) {
      for (let n = 1; n <= 60; n++) {
        const { name: answered, setCookie } = await ask(request(String(n)));
        assert.equal(seen.get(String(n)) ?? answered, answered, `value ${n} in round ${round}`);
        assert.equal(setCookie, undefined);
        seen.set(String(n), answered);
      }
    }
    // Ports are other ones in each run: that 60 values pass one of three by comes once in 10^10 runs.
    assert.deepEqual([...new Set(seen.values())].toSorted(), ['a', 'b', 'c']);
  });
}

test('what no request has is one value: all go to one target', async () => {
  const names = new Set<string>();
  for (let n = 0; n < 20; n++) names.add((await ask({ target: '/nothing' })).name);
  assert.equal(names.size, 1);
});

for (const name of ['cookie', 'fallback'] as const) {
  test(`hash on ${name}: a client without cookie is given one, and stays where it was first`, async () => {
    const names = new Set<string>();
    for (let n = 0; n < 25; n++) {
      const first = await ask({ target: `/${name}` });
      names.add(first.name);
      const [pair = '', ...attributes] = first.setCookie?.split('; ') ?? [];
      assert.match(pair, /^sid=[0-9a-f-]{36}$/);
      const path = name === 'cookie' ? 'Path=/cookie' : 'Path=/';
      assert.deepEqual(attributes, [path, 'SameSite=Lax', 'HttpOnly']);
      const second = await ask({ target: `/${name}`, lines: [`Cookie: ${pair}`] });
      assert.deepEqual(second, { name: first.name, setCookie: undefined });
    }
    assert.ok(names.size > 1);
  });
}

for (const name of ['round-robin', 'least-connections', 'latency', 'hash']) {
  test(`dead-${name}: a try that failed goes to another target`, async () => {
    for (let n = 0; n < 12; n++) assert.equal((await ask({ target: `/dead-${name}/${n}` })).name, 'a');
  });
}

test('latency: the slow target is asked once, then the fast one', async () => {
  const answers: string[] = [];
  for (let n = 0; n < 20; n++) {
    const response = await send(port, { target: '/latency', lines: ['Connection: close'] });
    answers.push(response.text());
  }
  assert.equal(answers.filter((answer) => answer === 'slow').length, 1);
  // Whoever was asked first: the other one was next, since nothing was known of it.
  assert.ok(answers.indexOf('slow') < 2);
});

const heldBy = (): number[] => holders.map((holder) => holder.held());
const heldInAll = (): number => heldBy().reduce((sum, count) => sum + count, 0);

/** So many requests more that wait for their answers; each is there before the next is sent. */
async function hold(target: string, count: number): Promise<Socket[]> {
  const clients: Socket[] = [];
  for (let n = 0; n < count; n++) {
    const before = heldInAll();
    const client = connect(port, '127.0.0.1');
    client.on('error', () => {});
    client.resume();
    client.write(requestText({ target }));
    await waitFor(() => heldInAll() === before + 1, { what: 'the request to be upstream' });
    clients.push(client);
  }
  return clients;
}

async function letGo(clients: readonly Socket[]): Promise<void> {
  for (const holder of holders) holder.answerAll();
  for (const client of clients) client.destroy();
  await waitFor(async () => heldInAll() === 0 && (await inProgress()) === 0, {
    what: 'all requests to be over',
  });
}

/** Requests that the gateway has not done with. */
async function inProgress(): Promise<number> {
  const response = await fetch(`${gateway.adminUrl}/status`);
  const { server } = (await response.json()) as { server: { connections_writing: number } };
  return server.connections_writing;
}

test('least-connections: requests in flight are those of all workers', async () => {
  const clients = await hold('/held', 20);
  assert.deepEqual(heldBy(), [10, 10, 0]);
  await letGo(clients);
  const more = await hold('/weighted', 20);
  assert.deepEqual(heldBy(), [15, 5, 0]);
  await letGo(more);
});

test('least-connections: clients that give up are no longer in flight', async () => {
  const clients = await hold('/held', 12);
  for (const client of clients.slice(0, 5)) client.resetAndDestroy();
  await waitFor(() => heldInAll() === 7, { what: 'their requests to be gone' });
  const more = await hold('/held', 5);
  assert.deepEqual(heldBy(), [6, 6, 0]);
  await letGo([...clients, ...more]);
});

test('least-connections: targets that stay keep what is in flight when others come', async () => {
  const before = await hold('/held', 8);
  await gateway.reload(configuration([three, one, two]));
  const more = await hold('/held', 4);
  assert.deepEqual(heldBy(), [4, 4, 4]);
  await gateway.reload(configuration([one, two]));
  const last = await hold('/held', 2);
  assert.deepEqual(heldBy(), [5, 5, 4]);
  await letGo([...before, ...more, ...last]);
  const anew = await hold('/held', 10);
  assert.deepEqual(heldBy(), [5, 5, 0], 'those of the old configuration have ended too');
  await letGo(anew);
});

test('least-connections: a WebSocket is in flight as long as it is open', async () => {
  const clients = [];
  for (let n = 0; n < 8; n++) {
    const client = new WebSocket(`ws://127.0.0.1:${port}/tunnels`);
    await new Promise((resolve, reject) => {
      client.once('open', resolve);
      client.once('error', reject);
    });
    clients.push(client);
  }
  assert.deepEqual(
    sockets.map(({ clients: open }) => open.size),
    [4, 4],
  );
  for (const client of clients) client.terminate();
});
