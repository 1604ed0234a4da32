/** scripts/setup in a checkout of its own, with a stand-in for npm that tells what it was asked to do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const NPM =
  '#!/bin/sh\necho "$*" >>"$CALLS"\n[ -z "${FAIL:-}" ] || { echo "npm error no network" >&2; exit 1; }\n';

class Checkout implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "sluice setup's ü "));

  constructor() {
    for (const folder of ['scripts', 'tools']) mkdirSync(join(this.path, folder));
    copyFileSync(fileURLToPath(new URL('setup', import.meta.url)), join(this.path, 'scripts/setup'));
    writeFileSync(join(this.path, 'tools/npm'), `${NPM}mkdir -p node_modules\n`, { mode: 0o755 });
    this.lock('1');
  }

  lock(text: string): void {
    writeFileSync(join(this.path, 'package-lock.json'), text);
  }

  /** Runs `scripts/setup echo done` and answers what came of it, and how often npm has been called so far. */
  run(env: Record<string, string> = {}): {
    code: number | null;
    out: string;
    error: string;
    calls: string[];
  } {
    const log = join(this.path, 'calls');
    const path = [join(this.path, 'tools'), dirname(process.execPath), '/usr/bin', '/bin'].join(':');
    const { status, stdout, stderr } = spawnSync(
      '/bin/sh',
      [join(this.path, 'scripts/setup'), 'echo', 'done'],
      {
        cwd: '/',
        encoding: 'utf8',
        env: { PATH: path, CALLS: log, ...env },
      },
    );
    const calls = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
    return { code: status, out: stdout, error: stderr, calls };
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

test('installs once, and again when the lock file has changed', () => {
  using checkout = new Checkout();
  const first = checkout.run();
  assert.deepEqual([first.code, first.out], [0, 'done\n'], first.error);
  assert.equal(first.calls.length, 1);
  assert.match(first.calls[0] ?? '', /^ci /);
  assert.equal(checkout.run().calls.length, 1);
  checkout.lock('2');
  assert.equal(checkout.run().calls.length, 2);
});

test('takes what npm has already before it asks the registry, and runs no script of a dependency', () => {
  using checkout = new Checkout();
  const [call = ''] = checkout.run().calls;
  assert.match(call, /--prefer-offline\b/);
  assert.match(call, /--ignore-scripts\b/);
});

test('an installation that fails says what it needs, and is tried again', () => {
  using checkout = new Checkout();
  const failed = checkout.run({ FAIL: '1' });
  assert.deepEqual([failed.code, failed.out], [1, '']);
  assert.match(failed.error, /npm error no network\n(?:.*\n)*setup: npm ci failed .* needs the network once/);
  assert.equal(checkout.run().out, 'done\n');
});
