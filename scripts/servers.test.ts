/** scripts/servers on machines that this one is not: a PATH of stand-ins, and a server that nobody has. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('servers', import.meta.url));
const SERVER = 'sluice-no-such-server';

interface Machine {
  /** Shell scripts by command, beside which there is only what the shell has built in. */
  readonly commands: Readonly<Record<string, string>>;
  readonly asked?: readonly string[];
}

function run({ commands, asked = [SERVER] }: Machine): { code: number | null; error: string; calls: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-servers-'));
  const log = join(folder, 'calls');
  try {
    for (const [name, text] of Object.entries(commands)) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    const { status, stderr } = spawnSync('/bin/sh', [SCRIPT, ...asked], {
      encoding: 'utf8',
      env: { PATH: folder, CALLS: log },
    });
    return { code: status, error: stderr, calls: existsSync(log) ? readFileSync(log, 'utf8') : '' };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const LOGGED = 'echo "$0 $*" >>"$CALLS"';
const ENV = 'while case $1 in *=*) true ;; *) false ;; esac; do shift; done; exec "$@"';
const ADVICE = new RegExp(`\\n {2}sudo apt-get update && sudo apt-get install .* ${SERVER}\\n$`);

test('what is there is not installed', () => {
  const machine = { commands: { here: '', 'apt-get': LOGGED }, asked: ['here'] };
  assert.deepEqual(run(machine), { code: 0, error: '', calls: '' });
});

test('without apt-get it says what is missing', () => {
  const { code, error } = run({ commands: { here: '' }, asked: ['here', SERVER] });
  assert.equal(code, 1);
  assert.match(error, new RegExp(`^servers: missing: ${SERVER}\\. Install`));
});

test('as nobody in particular it says what to run, and runs nothing', () => {
  const commands = { id: 'echo 1000', 'apt-get': LOGGED };
  for (const more of [{}, { sudo: 'exit 1' }]) {
    const { code, error, calls } = run({ commands: { ...commands, ...more } });
    assert.equal(code, 1);
    assert.match(error, ADVICE);
    assert.equal(calls, '');
  }
});

test('as root, and where sudo asks for no password, it installs what is missing alone', () => {
  const commands = { here: '', env: ENV, 'apt-get': LOGGED };
  for (const more of [{ id: 'echo 0' }, { id: 'echo 1000', sudo: 'shift; exec "$@"', true: '' }]) {
    const { code, error, calls } = run({ commands: { ...commands, ...more }, asked: ['here', SERVER] });
    assert.equal(code, 0, error);
    assert.match(calls, new RegExp(`apt-get .*update\\n.*apt-get .*install --yes .* ${SERVER}\\n$`));
    assert.doesNotMatch(calls, /here/);
  }
});

test('a package may have another name than its command', () => {
  const commands = { here: '', env: ENV, id: 'echo 0', 'apt-get': LOGGED };
  const { calls } = run({ commands, asked: ['here=other', `${SERVER}=the-package`] });
  assert.match(calls, /apt-get .*install --yes .* the-package\n$/);
  assert.doesNotMatch(calls, /other|no-such-server/);
});

test('an installation that fails, without network for one, says what to run', () => {
  const { code, error } = run({ commands: { env: ENV, id: 'echo 0', 'apt-get': 'exit 100' } });
  assert.equal(code, 1);
  assert.match(error, ADVICE);
});
