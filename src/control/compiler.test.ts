import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile, dump } from './compiler.ts';
import type { CompileJob, Compiled, ConfigSource } from './compile-job.ts';
import { readImage } from '../snapshot/image.ts';

const job = (source: ConfigSource, fields: Partial<CompileJob> = {}): CompileJob => ({
  type: 'compile',
  source,
  flavor: 'traditional_compatible',
  revision: 1,
  current: null,
  wantEntities: false,
  flattenErrors: false,
  nice: 10,
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
  const first = await compile(job(text(ONE), { wantEntities: true }));
  assert.ok(first.ok, JSON.stringify(first));
  assert.equal(first.unchanged, false);
  assert.equal(first.delta, null);
  assert.equal(first.hash.length, 32);
  assert.equal([...readImage(first.image).records()].length, 2);
  const entities = JSON.parse(Buffer.from(first.entities ?? []).toString()) as Record<string, object>;
  assert.deepEqual(Object.keys(entities), ['routes', 'services']);

  const current = { image: first.image, hash: first.hash, flavor: 'traditional_compatible' } as const;
  const same = await compile(job(text(ONE), { current, revision: 2 }));
  assert.ok(same.ok && same.unchanged);

  const next = await compile(job(text(ONE.replace('/one', '/two')), { current, revision: 2 }));
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
  const first = await compile(job(text(ONE), { wantEntities: true }));
  assert.ok(first.ok, JSON.stringify(first));
  const dumped = await dump(first.image);
  assert.ok(dumped.ok && 'text' in dumped);
  const again = await compile(job(text(dumped.text), { wantEntities: true }));
  assert.ok(again.ok, JSON.stringify(again));
  assert.deepEqual(withoutStamps(again), withoutStamps(first));
});

test('a file that is not there is an error that names it', async () => {
  const answer = await compile(job({ kind: 'file', path: '/nowhere/kong.yml' }));
  assert.ok(!answer.ok);
  assert.match(answer.lines.join('\n'), /\/nowhere\/kong\.yml/);
});

test('every error of a text is told with its line', async () => {
  const answer = await compile(
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
  const starved = await compile(job(large), { heapMb: 12, timeoutMs: 60_000 });
  assert.ok(!starved.ok);
  assert.match(starved.lines.join('\n'), /compiling the configuration failed.*memory/);
  const late = await compile(job(large), { heapMb: 3072, timeoutMs: 1 });
  assert.ok(!late.ok);
  assert.equal(late.status, 504);
});
