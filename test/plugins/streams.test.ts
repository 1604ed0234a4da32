/** Plugins on streams: TCP, TLS that ends here or passes, and UDP. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import * as tls from 'node:tls';
import type { StreamExchange } from '../../src/plugins/kit/exchange.ts';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { freePort } from '../support/ports.ts';
import { connectRaw } from '../support/raw-client.ts';
import { pluginSet, type InlinePlugin, type TestPlugin } from '../support/plugins.ts';
import { snapshotOf, startStreamPlane, type StreamPlane } from '../support/stream-plane.ts';
import { waitFor } from '../support/wait.ts';
import { logOf } from './support/log.ts';

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly connections: number;
}

async function echo(): Promise<Server> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('end', () => socket.end());
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const stream = (
  name: string,
  priority: number,
  filters: Filters,
  more: Partial<InlinePlugin> = {},
): InlinePlugin => ({
  name,
  priority,
  protocols: ['tcp', 'tls', 'udp', 'tls_passthrough'],
  filters,
  ...more,
});

const SETTINGS = { proxy_stream_error_log: 'logs/error.log', log_level: 'info', plugin_timeout: '2000' };

async function planeOf(
  route: Readonly<Record<string, unknown>>,
  upstream: string,
  plugins: readonly TestPlugin[],
  options: { flags?: string; settings?: Readonly<Record<string, string>> } = {},
): Promise<StreamPlane> {
  const it = await startStreamPlane({}, options.flags ?? '', { ...SETTINGS, ...options.settings });
  const destinations = [{ port: it.streamPort }];
  const routes = [{ name: 'r', ...('snis' in route ? {} : { destinations }), ...route }];
  const snapshot = await snapshotOf({ services: [{ name: 's', url: upstream, routes }] });
  it.plane.applySnapshot({ ...snapshot, plugins: await pluginSet(it.plane, plugins) });
  return it;
}

const TCP = { protocols: ['tcp'] };

describe('preread', () => {
  test('runs by priority, when the route is known; streamLog when all is over', async () => {
    const heard: string[] = [];
    const telling = (text: string): Filters => ({
      preread: ({ route, service, transport }) =>
        void heard.push(`${text} ${route?.name ?? ''} ${service?.name ?? ''} ${transport}`),
      streamLog: ({ status, bytesSent, bytesReceived, upstream }) =>
        void heard.push(
          `${text} log ${status} ${bytesSent} ${bytesReceived} ${upstream.split(':')[0] ?? ''}`,
        ),
    });
    await using upstream = await echo();
    await using it = await planeOf(TCP, `tcp://127.0.0.1:${upstream.port}`, [
      stream('a', 1, telling('a')),
      stream('b', 2, telling('b')),
      stream('http', 3, telling('http'), { protocols: ['http', 'https'] }),
    ]);
    await using client = await connectRaw(it.streamPort);
    client.write('hello');
    assert.equal((await client.readBytes(5)).toString(), 'hello');
    client.end();
    await client.closed();
    await waitFor(() => heard.length === 4);
    assert.deepEqual(heard, ['b r s tcp', 'a r s tcp', 'b log 200 5 5 tcp', 'a log 200 5 5 tcp']);
  });

  test('what comes while it waits comes later', async () => {
    const gate = Promise.withResolvers<void>();
    let waiting = false;
    await using upstream = await echo();
    await using it = await planeOf(TCP, `tcp://127.0.0.1:${upstream.port}`, [
      stream('a', 1, {
        preread() {
          waiting = true;
          return gate.promise;
        },
      }),
    ]);
    await using client = await connectRaw(it.streamPort);
    client.write('hello');
    await waitFor(() => waiting);
    assert.equal(upstream.connections, 0);
    gate.resolve();
    assert.equal((await client.readBytes(5)).toString(), 'hello');
  });

  const REFUSALS: ReadonlyArray<readonly [what: string, filters: Filters, said: RegExp, status: number]> = [
    ['refuses', { preread: () => ({ refuse: 'not you' }) }, /plugin a \([-0-9a-f]+\): not you/, 403],
    ['refuses later', { preread: async () => ({ refuse: 'not you' }) }, /plugin a .*: not you/, 403],
    [
      'throws',
      {
        preread() {
          throw new Error('boom');
        },
      },
      /plugin a .*Error: boom/,
      500,
    ],
    ['rejects', { preread: () => Promise.reject(new Error('boom')) }, /plugin a .*Error: boom/, 500],
    ['answers what is no refusal', { preread: () => true as never }, /an answer that is no refusal/, 403],
    [
      'never settles',
      { preread: () => new Promise(() => {}) },
      /plugin a .* has not settled in preread after 50 ms/,
      504,
    ],
  ];
  for (const [what, filters, said, status] of REFUSALS) {
    test(`one that ${what} ends the stream before its upstream is asked`, async () => {
      const logged: number[] = [];
      await using upstream = await echo();
      await using it = await planeOf(
        TCP,
        `tcp://127.0.0.1:${upstream.port}`,
        [
          stream('a', 2, filters),
          stream('b', 1, { streamLog: (exchange) => void logged.push(exchange.status) }),
        ],
        { settings: { plugin_timeout: '50' } },
      );
      await using client = await connectRaw(it.streamPort);
      await client.closed();
      await logOf(it, said);
      assert.deepEqual([upstream.connections, logged], [0, [status]]);
    });
  }

  test('a client that goes away while it waits', async () => {
    const logged: number[] = [];
    let waiting = false;
    await using upstream = await echo();
    await using it = await planeOf(TCP, `tcp://127.0.0.1:${upstream.port}`, [
      stream('a', 1, {
        preread() {
          waiting = true;
          return new Promise(() => {});
        },
        streamLog: ({ status }) => void logged.push(status),
      }),
    ]);
    await using client = await connectRaw(it.streamPort);
    await waitFor(() => waiting);
    client.reset();
    await waitFor(() => logged.length === 1);
    assert.equal(upstream.connections, 0);
  });

  test('without a route only plugins for everything log it', async () => {
    const logged: string[] = [];
    const log = (text: string): Filters => ({
      streamLog: ({ route }) => void logged.push(`${text} ${JSON.stringify(route)}`),
    });
    await using it = await startStreamPlane({}, '', SETTINGS);
    const plugins = [stream('all', 1, log('all')), stream('one', 2, log('one'), { route: { id: 'x' } })];
    it.plane.applySnapshot({ ...(await snapshotOf({})), plugins: await pluginSet(it.plane, plugins) });
    await using client = await connectRaw(it.streamPort);
    await client.closed();
    await waitFor(() => logged.length === 1);
    assert.deepEqual(logged, ['all null']);
  });

  test('TLS that ends here: its facts are there; what passes shows its server name', async () => {
    const seen: unknown[] = [];
    const look = ({ client, transport, serverName }: StreamExchange): void =>
      void seen.push([transport, serverName, client.tls?.version ?? null]);
    await using upstream = await echo();
    for (const protocol of ['tls', 'tls_passthrough']) {
      await using it = await planeOf(
        { protocols: [protocol], snis: ['a.example'] },
        `tcp://127.0.0.1:${upstream.port}`,
        [stream('a', 1, { preread: look })],
        { flags: 'ssl' },
      );
      const client = tls.connect({
        port: it.streamPort,
        host: '127.0.0.1',
        servername: 'a.example',
        rejectUnauthorized: false,
      });
      client.on('error', () => {});
      await waitFor(() => seen.length === (protocol === 'tls' ? 1 : 2));
      client.destroy();
    }
    assert.deepEqual(seen, [
      ['tls', 'a.example', 'TLSv1.3'],
      ['tls_passthrough', 'a.example', null],
    ]);
  });

  test('UDP: datagrams wait until it is allowed', async () => {
    const server = createSocket('udp4');
    server.on('message', (datagram, from) => server.send(datagram, from.port, from.address));
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const client = createSocket('udp4');
    try {
      const gate = Promise.withResolvers<void>();
      const seen: string[] = [];
      await using it = await planeOf(
        { protocols: ['udp'] },
        `udp://127.0.0.1:${server.address().port}`,
        [
          stream('a', 1, {
            preread({ transport }) {
              seen.push(transport);
              return gate.promise;
            },
          }),
        ],
        { flags: 'udp' },
      );
      const answers: string[] = [];
      client.on('message', (datagram) => answers.push(datagram.toString()));
      client.send('one', it.streamPort, '127.0.0.1');
      client.send('two', it.streamPort, '127.0.0.1');
      await waitFor(() => seen.length === 1);
      gate.resolve();
      await waitFor(() => answers.length === 2);
      assert.deepEqual([answers, seen], [['one', 'two'], ['udp']]);
    } finally {
      client.close();
      server.close();
    }
  });
});

const LISTS: ReadonlyArray<readonly [config: object, letIn: boolean]> = [
  [{ allow: ['127.0.0.0/8'] }, true],
  [{ deny: ['10.0.0.0/8'] }, true],
  [{ allow: ['10.0.0.0/8'] }, false],
  [{ deny: ['127.0.0.1'] }, false],
  [{ allow: ['127.0.0.0/8'], deny: ['127.0.0.1'] }, false],
];

describe('ip-restriction', () => {
  for (const [config, letIn] of LISTS) {
    test(`${JSON.stringify(config)} ${letIn ? 'lets a stream in' : 'keeps a stream out'}`, async () => {
      await using upstream = await echo();
      const plugin = { name: 'ip-restriction', config };
      await using it = await planeOf(TCP, `tcp://127.0.0.1:${upstream.port}`, [plugin]);
      await using client = await connectRaw(it.streamPort);
      client.write('hello');
      if (letIn) {
        assert.equal((await client.readBytes(5)).toString(), 'hello');
        return;
      }
      await client.closed();
      assert.equal(upstream.connections, 0);
      await logOf(it, /IP address not allowed: 127\.0\.0\.1/);
    });
  }

  test('the address is the one of a PROXY header from whom that is believed', async () => {
    await using upstream = await echo();
    const plugin = { name: 'ip-restriction', config: { allow: ['192.0.2.7'] } };
    await using it = await planeOf(TCP, `tcp://127.0.0.1:${upstream.port}`, [plugin], {
      flags: 'proxy_protocol',
      settings: { trusted_ips: '127.0.0.1' },
    });
    for (const [address, letIn] of [
      ['192.0.2.7', true],
      ['192.0.2.8', false],
    ] as const) {
      await using client = await connectRaw(it.streamPort);
      client.write(`PROXY TCP4 ${address} 192.0.2.1 1000 2000\r\nhello`);
      if (letIn) assert.equal((await client.readBytes(5)).toString(), 'hello');
      else await client.closed();
    }
    assert.equal(upstream.connections, 1);
  });
});
