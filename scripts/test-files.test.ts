import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runFile, runFiles } from './test-files.ts';

let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-runner-'));
});
after(() => rm(folder, { recursive: true }));

async function write(name: string, source: string): Promise<string> {
  const path = join(folder, `${name}.test.ts`);
  await writeFile(path, `import { describe, test } from 'node:test';\n${source}`);
  return path;
}

const CASES: readonly { name: string; source: string; passed: number; failed: number; report: RegExp }[] = [
  {
    name: 'all well, types stripped',
    source: `const n: number = 1; describe('s', () => { test('a', () => {}); test('b', () => void n); });`,
    passed: 2,
    failed: 0,
    report: /^$/,
  },
  {
    name: 'a failure in a suite counts once',
    source: `describe('s', () => { test('a', () => { throw new Error('why it failed'); }); });`,
    passed: 0,
    failed: 1,
    report: /FAILED: a .*\n.*why it failed/,
  },
  {
    name: 'a failing hook is a failure',
    source: `import { before } from 'node:test'; describe('s', () => { before(() => { throw new Error('hook'); }); test('a', () => {}); });`,
    passed: 0,
    failed: 2,
    report: /hook/,
  },
  {
    name: 'a file that throws',
    source: `console.log('said before'); test('a', () => {}); throw new Error('at the top');`,
    passed: 0,
    failed: 1,
    report: /at the top/,
  },
  {
    name: 'an error after the tests',
    source: `test('a', () => { setTimeout(() => { throw new Error('late'); }, 300); });`,
    passed: 1,
    failed: 1,
    report: /ended with code/,
  },
  {
    name: 'a killed process',
    source: `test('a', () => process.kill(process.pid, 'SIGKILL'));`,
    passed: 0,
    failed: 1,
    report: /was killed by SIGKILL/,
  },
  { name: 'no tests', source: '', passed: 0, failed: 1, report: /has no tests/ },
  { name: 'skipped', source: `test.skip('a', () => {});`, passed: 0, failed: 1, report: /skipped/ },
  { name: 'todo', source: `test.todo('a');`, passed: 0, failed: 1, report: /skipped/ },
];

for (const { name, source, passed, failed, report } of CASES) {
  test(`judges a test file: ${name}`, async () => {
    const result = await runFile(await write(name.replaceAll(' ', '-'), source), 30_000);
    assert.match(result.report, report);
    assert.deepEqual({ passed: result.passed, failed: result.failed }, { passed, failed });
  });
}

test('a file that hangs is ended, also when it ignores the request to', async () => {
  const file = await write('hang', `process.on('SIGTERM', () => {}); test('a', () => { for (;;); });`);
  const result = await runFile(file, 300);
  assert.match(result.report, /did not end within 0.3 s/);
  assert.equal(result.failed, 1);
});

test('sums over files', async () => {
  const good = await write('good', `test('a', () => {}); test('b', () => {});`);
  const bad = await write('bad', `test('a', () => { throw new Error('no'); });`);
  const seen: string[] = [];
  const total = await runFiles([good, bad, good], {
    timeout: 30_000,
    concurrency: 2,
    onFile: (result) => seen.push(result.file),
  });
  assert.deepEqual(total, { passed: 4, failed: 1, unsteady: 0 });
  assert.deepEqual(seen.toSorted(), [bad, bad, good, good].toSorted(), 'what failed ran again');
});

test('what passes when it runs again is counted as unsteady; many failures are not tried again', async () => {
  const mark = JSON.stringify(join(folder, 'ran'));
  const once = await write(
    'once',
    `import { mkdirSync } from 'node:fs'; test('a', () => { mkdirSync(${mark}); throw new Error('no'); });`,
  );
  const unsteady = await write(
    'unsteady',
    `import { existsSync, writeFileSync } from 'node:fs'; test('a', () => {
      if (!existsSync(${mark})) { writeFileSync(${mark}, ''); throw new Error('the first time'); }
    });`,
  );
  const options = { timeout: 30_000, concurrency: 2, onFile: () => {} };
  assert.deepEqual(await runFiles([unsteady], options), { passed: 1, failed: 0, unsteady: 1 });
  assert.deepEqual(await runFiles(Array(4).fill(once), options), { passed: 0, failed: 4, unsteady: 0 });
});
