import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { Compiler } from './compiler.ts';
import type { CompileJob, Compiled, ConfigSource } from './compile-job.ts';
import { readImage } from '../snapshot/image.ts';

const compiler = new Compiler();

const job = (source: ConfigSource, fields: Partial<CompileJob> = {}): CompileJob => ({
  type: 'compile',
  source,
  flavor: 'traditional_compatible',
  revision: 1,
  current: null,
  wantEntities: false,
  flattenErrors: false,
  ...fields,
});

const text = (value: string): ConfigSource => ({ kind: 'text', text: value, name: 'kong.yml' });

const ONE = `_format_version: "3.0"
services:
- name: a
  host: a.test
  routes:
  - name: r
    paths: [/one]
`;

test('a text becomes an image; the same text again is unchanged, and a delta leads to the next', async () => {
  const first = await compiler.compile(job(text(ONE), { wantEntities: true }));
  assert.ok(first.ok, JSON.stringify(first));
  assert.equal(first.unchanged, false);
  assert.equal(first.delta, null);
  assert.equal(first.hash.length, 32);
  assert.equal([...readImage(first.image).records()].length, 2);
  const entities = JSON.parse(Buffer.from(first.entities ?? []).toString()) as Record<string, object>;
  assert.deepEqual(Object.keys(entities), ['routes', 'services']);

  const current = { image: first.image, hash: first.hash, flavor: 'traditional_compatible' } as const;
  const same = await compiler.compile(job(text(ONE), { current, revision: 2 }));
  assert.ok(same.ok && same.unchanged);

  const next = await compiler.compile(job(text(ONE.replace('/one', '/two')), { current, revision: 2 }));
  assert.ok(next.ok && !next.unchanged && next.delta !== null);
  assert.equal(readImage(next.delta).baseRevision, 1);
  assert.equal([...readImage(next.delta).records()].length, 1);
});

/** Kong sets `updated_at` anew at each load. */
function withoutStamps({ entities }: Compiled): unknown {
  return JSON.parse(Buffer.from(entities ?? []).toString(), (key: string, value: unknown) =>
    key === 'updated_at' ? undefined : value,
  );
}

test('what is served is printed as a declarative file that compiles to the same entities', async () => {
  const first = await compiler.compile(job(text(ONE), { wantEntities: true }));
  assert.ok(first.ok, JSON.stringify(first));
  const dumped = await compiler.dump(first.image);
  assert.ok(dumped.ok && 'text' in dumped);
  const again = await compiler.compile(job(text(dumped.text), { wantEntities: true }));
  assert.ok(again.ok, JSON.stringify(again));
  assert.deepEqual(withoutStamps(again), withoutStamps(first));
});

test('a file that is not there is an error that names it', async () => {
  const answer = await compiler.compile(job({ kind: 'file', path: '/nowhere/kong.yml' }));
  assert.ok(!answer.ok);
  assert.match(answer.lines.join('\n'), /\/nowhere\/kong\.yml/);
});

test('every error of a text is told with its line', async () => {
  const answer = await compiler.compile(
    job(text(ONE.replace('host: a.test', 'host: a.test\n  retries: x\n  port: y'))),
  );
  assert.ok(!answer.ok);
  assert.equal(answer.status, 400);
  assert.match(answer.lines.join('\n'), /kong\.yml:5.*retries/);
  assert.match(answer.lines.join('\n'), /kong\.yml:6.*port/);
  assert.equal((JSON.parse(answer.body) as { code: number }).code, 14);
});

test('a compiler that runs out of memory or of time is an error of that reload', async () => {
  const routes = Array.from({ length: 20_000 }, (_, n) => `  - paths: [/r${n}]\n`).join('');
  const large = text(`${ONE}${routes}`);
  const starved = await new Compiler({ heapMb: 12 }).compile(job(large));
  assert.ok(!starved.ok);
  assert.match(starved.lines.join('\n'), /compiling the configuration failed.*memory/);
  const late = await new Compiler({ timeoutMs: 1 }).compile(job(large));
  assert.ok(!late.ok);
  assert.equal(late.status, 504);
});

test('one thread serves jobs that follow each other, and jobs at once have one each', async () => {
  const threads = new Set<number>();
  const onWorker = ({ threadId }: Worker): void => void threads.add(threadId);
  process.on('worker', onWorker);
  try {
    const own = new Compiler({ keepMs: 60_000 });
    const texts = Array.from({ length: 3 }, (_, n) => text(ONE.replace('/one', `/${n}`)));
    for (const each of texts) assert.ok((await own.compile(job(each))).ok);
    assert.equal(threads.size, 1);
    const answers = await Promise.all(texts.map((each) => own.compile(job(each))));
    assert.ok(answers.every(({ ok }) => ok));
    assert.equal(threads.size, 3);
  } finally {
    process.off('worker', onWorker);
  }
});

test('a thread that has waited long enough, or has grown, or died, is not asked again', async () => {
  const threads = new Set<Worker>();
  const onWorker = (worker: Worker): void => void threads.add(worker);
  process.on('worker', onWorker);
  try {
    const own = new Compiler({ keepMs: 50 });
    assert.ok((await own.compile(job(text(ONE)))).ok);
    const [first] = threads;
    if (first !== undefined && first.threadId !== -1) await once(first, 'exit');
    assert.ok((await own.compile(job(text(ONE)))).ok);
    assert.equal(threads.size, 2);

    const another = new Compiler({ keepMs: 60_000 });
    assert.ok((await another.compile(job(text(ONE)))).ok);
    await [...threads].at(-1)?.terminate();
    assert.ok((await another.compile(job(text(ONE)))).ok);
    assert.equal(threads.size, 4);

    const small = new Compiler({ keepBytes: 1024 });
    assert.ok((await small.compile(job(text(ONE)))).ok);
    assert.ok((await small.compile(job(text(ONE)))).ok);
    assert.equal(threads.size, 6);
  } finally {
    process.off('worker', onWorker);
  }
});
