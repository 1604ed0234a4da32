/** The command line through the real launcher, beside real and pretended gateways. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { callControl, ControlError, waitUntilGone } from '../../src/cli/control-client.ts';
import { isAlive } from '../../src/lib/is-alive.ts';
import { sluice, startGateway, type CliResult } from '../support/gateway.ts';
import { freePorts } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';

const COMMANDS = [
  'start',
  'stop',
  'quit',
  'reload',
  'health',
  'check',
  'config parse',
  'config dump',
  'config validate',
  'config diff',
  'config sync',
  'config history',
  'config rollback',
  'config import',
  'config init',
  'config db_import',
  'config db_export',
  'migrations finish',
  'vault get',
  'admin token create',
  'admin token list',
  'admin token revoke',
  'version',
];

const GOOD_CONFIG = `_format_version: "3.0"
services:
  - name: a
    url: http://127.0.0.1:1
    routes:
      - paths: [/a]
`;

/** Each row: exit code, and what standard output and standard error must hold. */
const RUNS: readonly (readonly [line: string, code: number, out: RegExp, error: RegExp])[] = [
  ['', 2, /^$/, /^Usage: sluice COMMAND/],
  ['--help', 0, /^Usage: sluice COMMAND \[OPTIONS\]\n[^]*config parse/, /^$/],
  ['-h', 0, /^Usage: sluice COMMAND/, /^$/],
  ['help', 0, /^Usage: sluice COMMAND/, /^$/],
  ['config --help', 0, /^Usage: sluice COMMAND/, /^$/],
  ['version', 0, /^sluice \d+\.\d+\.\d+\n$/, /^$/],
  ['--version', 0, /^sluice \d+\.\d+\.\d+\n$/, /^$/],
  [
    'version -a',
    0,
    /^sluice .*\ncompatible with kong 3\.9\nnode \d+\..*\nv8 .*\nopenssl .*\nplatform /,
    /^$/,
  ],
  ['vault get env/home/x', 1, /^$/, /^sluice: '\{vault:\/\/env\/home\/x\}': HOME is not JSON\n$/],
  ['vault get {vault://env/no-such}', 1, /^$/, /the environment has no NO_SUCH\n$/],
  ['vault get {vault://env/sluice-no-restart}', 0, /^1\n$/, /^$/],
  ['admin token', 2, /^$/, /'admin token' is not a command by itself: admin token create, /],
  ['admin token --help', 0, /^Usage: sluice COMMAND/, /^$/],
  ['admin token create', 2, /^$/, /--name takes letters/],
  ['admin token create --name x --role root', 2, /^$/, /--role takes one of: read, write, admin/],
  ['admin token create --name x --kinds services', 2, /^$/, /limit what the role write/],
  ['admin token create --name x --role write --kinds nope', 2, /^$/, /'nope' is no kind/],
  ['admin token create --name x --expires soon', 2, /^$/, /--expires takes a time/],
  ['vault', 2, /^$/, /^sluice: 'vault' is not a command by itself: vault get\n$/],
  ['strat', 2, /^$/, /^sluice: unknown command 'strat', did you mean 'start'\?\n$/],
  ['hybrid gen_cert', 2, /^$/, /^sluice: unknown command 'hybrid', see 'sluice --help'\n$/],
  ['config', 2, /^$/, /'config' is not a command by itself: config parse/],
  ['config pasre x', 2, /^$/, /did you mean 'config parse'\?/],
  ['config parse', 2, /^$/, /an argument is missing \(see 'sluice config parse --help'\)/],
  ['version x', 2, /^$/, /unexpected argument 'x'/],
  ['start --hlep', 2, /^$/, /Unknown option '--hlep', did you mean '--help'\?/],
  ['start --config', 2, /^$/, /--config <value>' argument missing/],
  // A shell variable that is not set must not stop the gateway of the default prefix.
  ['stop --prefix=', 2, /^$/, /^sluice: --prefix is empty\n$/],
  ['check --conf=', 2, /^$/, /^sluice: --conf is empty\n$/],
  ['start --config=', 2, /^$/, /^sluice: --config is empty\n$/],
  ['quit -t soon', 2, /^$/, /--timeout takes a number of seconds, not 'soon'/],
  ['check a -c b', 2, /^$/, /name the settings file once/],
  ['check /nonexistent.conf', 1, /^$/, /cannot read \/nonexistent\.conf: ENOENT/],
  ['config parse /nonexistent.yml', 1, /^$/, /cannot read \/nonexistent\.yml: ENOENT/],
  [
    'health -p /nonexistent',
    1,
    /^$/,
    /^sluice: Sluice is not running in \/nonexistent \(no \/nonexistent\/control\.sock\)\n$/,
  ],
  ['start -p /dev/null', 1, /^$/, /^sluice: cannot use the prefix \/dev\/null: ENOTDIR: not a directory/],
  ['stop -p /nonexistent', 1, /^$/, /Sluice is not running in \/nonexistent/],
  ['quit -p /nonexistent', 1, /^$/, /Sluice is not running in \/nonexistent/],
  ['reload -p /nonexistent', 1, /^$/, /Sluice is not running in \/nonexistent/],
];

function assertRun(result: CliResult, code: number, out: RegExp, error: RegExp): void {
  assert.match(result.stdout, out);
  assert.match(result.stderr, error);
  assert.equal(result.code, code);
}

describe('command lines', () => {
  for (const [line, code, out, error] of RUNS) {
    test(`sluice ${line}`, async () => {
      assertRun(await sluice(line === '' ? [] : line.split(' ')), code, out, error);
    });
  }

  for (const command of COMMANDS) {
    test(`sluice ${command} --help`, async () => {
      const usage = new RegExp(`^Usage: sluice ${command} .*\\n[^]*--help`);
      assertRun(await sluice([...command.split(' '), '--help']), 0, usage, /^$/);
    });
  }
});

describe('check', () => {
  test('good settings, with warnings', async () => {
    await using folder = await tempDir();
    const conf = join(folder.path, 'kong.conf');
    await writeFile(conf, 'lua_socket_pool_size = 9\nlog_level = info\n');
    const result = await sluice(['check', conf, '--v'], { KONG_X_Y: '1' });
    assertRun(result, 0, /^settings at .*kong\.conf are valid\n$/, /^warning: KONG_X_Y: unknown setting/);
    assert.match(result.stderr, /warning: .*kong\.conf:1: lua_socket_pool_size has no meaning here/);
    assert.match(result.stderr, /\nlog_level is set by .*kong\.conf:2\n/);
  });

  test('every problem, one for each line', async () => {
    await using folder = await tempDir();
    const conf = join(folder.path, 'kong.conf');
    await writeFile(conf, 'log_level = loud\nproxy_lisen = off\n');
    const { code, stderr } = await sluice(['check', '-c', conf], { KONG_DATABASE: 'oracle' });
    assert.equal(code, 1);
    assert.equal(stderr.trimEnd().split('\n').length, 3);
    assert.match(
      stderr,
      /^sluice: .*kong\.conf:2: unknown setting 'proxy_lisen', did you mean 'proxy_listen'\?$/m,
    );
  });
});

describe('config parse', () => {
  test('a good file', async () => {
    await using folder = await tempDir();
    const file = join(folder.path, 'kong.yml');
    await writeFile(file, GOOD_CONFIG);
    assertRun(await sluice(['config', 'parse', file]), 0, /^parse successful\n$/, /^$/);
  });

  test('each error with its place', async () => {
    await using folder = await tempDir();
    const file = join(folder.path, 'kong.yml');
    await writeFile(file, `${GOOD_CONFIG}        methods: [get]\n  - name: b\n    host: a b\n`);
    const { code, stdout, stderr } = await sluice(['config', 'parse', file]);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    const lines = stderr.trimEnd().split('\n');
    assert.equal(lines.length, 2, stderr);
    assert.match(lines[0] ?? '', /kong\.yml:7:\d+: services\[0\]\.routes\[0\]\.methods\S*: ./);
    assert.match(lines[1] ?? '', /kong\.yml:9:\d+: services\[1\]\.host: ./);
  });

  test('a file that is not UTF-8 is not read as something else', async () => {
    await using folder = await tempDir();
    const file = join(folder.path, 'kong.yml');
    await writeFile(file, Buffer.from(GOOD_CONFIG.replace('/a', '/é'), 'latin1'));
    assertRun(await sluice(['config', 'parse', file]), 1, /^$/, /kong\.yml:6:18: .* is not UTF-8\n$/);
  });
});

describe('with a running gateway', () => {
  test('health, reload, a reload that is refused, quit', async () => {
    const [tcp = 0, udp = 0] = await freePorts(2);
    const stream_listen = `127.0.0.1:${tcp} ssl, 127.0.0.1:${udp} udp`;
    await using gateway = await startGateway({ config: GOOD_CONFIG, settings: { stream_listen } });
    const at = ['-c', gateway.conf];
    const healthy = [
      'Sluice is healthy at .*',
      `process ${gateway.pid}, version \\d.*, revision 1`,
      'worker 0: running',
      `proxy: 127\\.0\\.0\\.1:${gateway.proxyPort}`,
      `stream: ${stream_listen.replaceAll('.', '\\.')}`,
      `admin: 127\\.0\\.0\\.1:${gateway.adminPort}`,
      `status: 127\\.0\\.0\\.1:${gateway.statusPort}`,
    ];
    assertRun(await sluice(['health', ...at]), 0, new RegExp(`^${healthy.join('\\n')}\\n$`), /^$/);
    await gateway.writeConfig(GOOD_CONFIG.replaceAll('/a', '/b'));
    assertRun(await sluice(['reload', ...at]), 0, /^Sluice reloaded, revision 2 \(prefix .*\)\n$/, /^$/);
    await gateway.writeConfig(GOOD_CONFIG.replace('[/a]', 'no'));
    assertRun(await sluice(['reload', ...at]), 1, /^$/, /^sluice: .*\nsluice: .*kong\.yml:\d+:\d+: /);
    await gateway.writeConfig(GOOD_CONFIG);
    const conf = await readFile(gateway.conf, 'utf8');
    await writeFile(gateway.conf, conf.replace('nginx_worker_processes = 1', 'nginx_worker_processes = 2'));
    assertRun(await sluice(['reload', ...at]), 1, /^$/, /needs a restart: nginx_worker_processes/);
    const exit = gateway.waitExit();
    assertRun(
      await sluice(['quit', ...at, '-t', '5']),
      0,
      /^Sluice stopped gracefully \(prefix .*\)\n$/,
      /^$/,
    );
    assert.equal(isAlive(gateway.pid), false);
    assert.equal((await exit).code, 0);
    assertRun(await sluice(['health', ...at]), 1, /^$/, /is not running/);
  });

  test('stop by prefix alone', async () => {
    await using gateway = await startGateway({ config: GOOD_CONFIG });
    const exit = gateway.waitExit();
    assertRun(await sluice(['stop', '-p', gateway.prefix]), 0, /^Sluice stopped \(prefix .*\)\n$/, /^$/);
    assert.equal((await exit).code, 0);
  });

  test('start: problems of the settings, all at once, exit code 1', async () => {
    const env = { KONG_DATABASE: 'oracle', SLUICE_PROXY_LISTEN: '0.0.0.0:8443 udp' };
    const { code, stderr } = await sluice(['start'], env);
    assert.equal(code, 1);
    assert.match(stderr, /^sluice: SLUICE_PROXY_LISTEN: .*unknown flag 'udp'.*\nsluice: KONG_DATABASE: /);
  });

  test('start: --config wins over the environment, also over a configuration given as text', async () => {
    await using folder = await tempDir();
    const prefix = join(folder.path, 'prefix');
    const missing = join(folder.path, 'missing.yml');
    const env = {
      KONG_DECLARATIVE_CONFIG_STRING: '{"_format_version":"3.0"}',
      SLUICE_PROXY_LISTEN: '127.0.0.1:0',
      SLUICE_ADMIN_LISTEN: 'off',
      SLUICE_STATUS_LISTEN: 'off',
    };
    const { code, stderr } = await sluice(['start', '-p', prefix, '--config', missing], env);
    assert.equal(code, 1);
    assert.match(stderr, /missing\.yml/);
    assert.doesNotMatch(stderr, /both set/);
  });
});

/** A control socket that answers as the test says. */
async function controlSocket(prefix: string, answer: RequestListener): Promise<AsyncDisposable> {
  const server = createServer(answer).listen(join(prefix, 'control.sock'));
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('control client', () => {
  test('an answer of any status is handed on', async () => {
    await using folder = await tempDir();
    let received = '';
    await using _server = await controlSocket(folder.path, (request, response) => {
      request.on('data', (chunk: Buffer) => (received += chunk.toString()));
      request.on('end', () =>
        response.writeHead(400).end(`{"message":"no","at":"${request.method} ${request.url}"}`),
      );
    });
    const answer = await callControl(folder.path, { method: 'POST', path: '/quit', body: { timeout: 1.5 } });
    assert.deepEqual(answer, { status: 400, body: { message: 'no', at: 'POST /quit' } });
    assert.equal(received, '{"timeout":1.5}');
  });

  const FAILURES: readonly (readonly [
    title: string,
    answer: RequestListener,
    failure: string,
    message: RegExp,
    timeout?: number,
  ])[] = [
    [
      'text that is not JSON',
      (_request, response) => response.end('hello'),
      'bad-answer',
      /answered 200 with something that is not JSON/,
    ],
    ['no answer', () => {}, 'no-answer', /did not answer: no answer within 50 ms/, 50],
    [
      'a connection that is cut',
      (request) => request.socket.destroy(),
      'no-answer',
      /did not answer: socket hang up/,
    ],
    [
      'an answer that is cut',
      (request, response) => {
        response.writeHead(200, { 'content-length': 10 }).write('{');
        setImmediate(() => request.socket.destroy());
      },
      'no-answer',
      /did not answer: aborted/,
    ],
  ];

  for (const [title, answer, failure, message, timeout = 30_000] of FAILURES) {
    test(`failure: ${title}`, async () => {
      await using folder = await tempDir();
      await using _server = await controlSocket(folder.path, answer);
      await assert.rejects(callControl(folder.path, { method: 'GET', path: '/health', timeout }), (error) => {
        assert.ok(error instanceof ControlError);
        assert.equal(error.failure, failure);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test('failure: a socket that was left behind', async () => {
    await using folder = await tempDir();
    // Closing a net.Server removes its socket; a process that is killed does not get to it.
    const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script, join(folder.path, 'control.sock')]);
    assertRun(
      await sluice(['health', '-p', folder.path]),
      1,
      /^$/,
      /not running in .* \(.*control\.sock was left behind/,
    );
  });

  test('health of a gateway that drains is a failure', async () => {
    await using folder = await tempDir();
    await using _server = await controlSocket(folder.path, (_request, response) =>
      response.end('{"status":"draining"}'),
    );
    assertRun(
      await sluice(['health', '-p', folder.path]),
      1,
      /^$/,
      /^Sluice is not healthy at .*: draining\n$/,
    );
  });

  test('reload prints the warnings of the gateway', async () => {
    await using folder = await tempDir();
    await using _server = await controlSocket(folder.path, (_request, response) =>
      response.end('{"message":"ok","revision":7,"warnings":["one","two"]}'),
    );
    assertRun(await sluice(['reload', '-p', folder.path]), 0, /revision 7/, /^warning: one\nwarning: two\n$/);
  });

  test('waiting for a process: this one stays, one that never was is gone', async () => {
    assert.equal(await waitUntilGone(process.pid, 20), false);
    assert.equal(await waitUntilGone(2 ** 30, 20), true);
  });

  test('another kind of socket in its place', async () => {
    await using folder = await tempDir();
    const server = createSocketServer((socket) => socket.end('SSH-2.0\r\n')).listen(
      join(folder.path, 'control.sock'),
    );
    await once(server, 'listening');
    await assert.rejects(
      callControl(folder.path, { method: 'GET', path: '/health' }),
      /did not answer: Parse Error/,
    );
    server.close();
  });
});
