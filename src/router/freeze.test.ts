/** The arena: growth, what an edit adds to it, new arenas, and older versions that stay as they were. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRoute } from './compile.ts';
import type { CompiledRoute } from './entry.ts';
import { finish } from '../lib/steps.ts';
import { freezeAnew, type FrozenIndex, refreeze } from './freeze.ts';
import { addRoute, emptyHostIndex, type HostIndex, ownHostIndex, removeRoute } from './host-index.ts';
import { Router } from './router.ts';
import { request, route, uuid } from './testing/fixtures.ts';
import { Walker } from './walker.ts';

const COUNT = 500;

function fieldsOf(n: number): Parameters<typeof route>[0] {
  // A third below hosts, some with a port, and a crowd on one path that is split by a header.
  if (n % 3 === 0) return { hosts: [`h${n % 50}.com`, `p${n % 7}.com:80`, '*.w'], paths: [`/r${n}`] };
  if (n % 3 === 1) return { paths: [`~/r${n}/[^/]+/\\d{1,3}$`] };
  return { paths: ['/crowd'], headers: { 'x-n': [String(n)] }, methods: ['GET'] };
}

function inputFor(n: number): ReturnType<typeof request> {
  if (n % 3 === 0) return request({ host: `h${n % 50}.com`, path: `/r${n}/x` });
  if (n % 3 === 1) return request({ path: `/r${n}/any/12` });
  return request({ path: '/crowd', headers: { 'x-n': [String(n)] } });
}

/** An index of `COUNT` routes whose values can be changed; older indexes stay. */
class Versions {
  index: HostIndex<string> = emptyHostIndex<string>({}, false);
  readonly #compiled = new Map<number, CompiledRoute<string>>();

  constructor() {
    const edit = {};
    this.index = ownHostIndex(this.index, edit);
    for (let n = 0; n < COUNT; n++) this.#put(n, `first ${n}`, edit);
  }

  change(n: number, value: string): void {
    const edit = {};
    this.index = ownHostIndex(this.index, edit);
    const old = this.#compiled.get(n);
    assert.ok(old !== undefined);
    removeRoute(this.index, old, edit);
    this.#put(n, value, edit);
  }

  #put(n: number, value: string, edit: object): void {
    const compiled = compileRoute(route({ id: uuid(n), ...fieldsOf(n) }), value, 'traditional_compatible');
    this.#compiled.set(n, compiled);
    addRoute(this.index, compiled, edit);
  }
}

const walker = new Walker<string>();

function valuesOf(frozen: FrozenIndex<string>): Array<string | undefined> {
  return Array.from({ length: COUNT }, (_, n) => walker.walk(frozen, inputFor(n))?.value);
}

const first = Array.from({ length: COUNT }, (_, n) => `first ${n}`);

test('an edit adds little, and nothing that changed nothing', () => {
  const versions = new Versions();
  const { arena } = finish(freezeAnew(versions.index));
  const { size } = arena;
  assert.equal(finish(refreeze(arena, versions.index)).arena, arena);
  assert.equal(arena.size, size);
  versions.change(1, 'second 1');
  const frozen = finish(refreeze(arena, versions.index));
  assert.equal(frozen.arena, arena);
  assert.ok(arena.size > size && arena.size < size * 1.05, `${size} to ${arena.size} words`);
  assert.deepEqual(valuesOf(frozen), first.with(1, 'second 1'));
});

test('a full arena grows, a wasteful one is followed by a new one, and old versions stay as they were', () => {
  const versions = new Versions();
  let frozen = finish(freezeAnew(versions.index));
  let expected = first;
  const history = [{ frozen, expected }];
  const { length } = frozen.arena.words;
  let [grown, renewed] = [0, 0];
  for (let i = 0; i < 6000; i++) {
    const n = (i * 7) % COUNT;
    versions.change(n, `change ${i}`);
    expected = expected.with(n, `change ${i}`);
    const { arena } = frozen;
    const before = arena.words;
    frozen = finish(refreeze(arena, versions.index));
    if (frozen.arena !== arena) renewed++;
    else if (arena.words !== before) grown++;
    if (i % 500 === 0) history.push({ frozen, expected });
  }
  history.push({ frozen, expected });
  assert.ok(grown > 0 && renewed > 1, `grown ${grown} times, ${renewed} new ones`);
  assert.ok(frozen.arena.words.length < length * 64, 'garbage is bounded');
  for (const version of history) assert.deepEqual(valuesOf(version.frozen), version.expected);
});

test('what is only in an older version is written again when an edit begins there', () => {
  const versions = new Versions();
  const old = versions.index;
  const frozenOld = finish(freezeAnew(old));
  versions.change(1, 'second 1');
  const anew = finish(freezeAnew(versions.index));
  // The nodes that both versions share are now known by their places in the new arena.
  assert.deepEqual(valuesOf(finish(refreeze(frozenOld.arena, old))), first);
  assert.deepEqual(valuesOf(finish(refreeze(anew.arena, old))), first);
  assert.deepEqual(valuesOf(anew), first.with(1, 'second 1'));
  assert.deepEqual(valuesOf(frozenOld), first);
});

test('routers of edits begun at any version, small and large', () => {
  const routers = [Router.empty<string>('traditional_compatible')];
  const expected: Array<ReadonlyArray<string | undefined>> = [first.map(() => undefined)];
  for (let i = 0; i < 60; i++) {
    const from = (i * 13) % routers.length;
    const values = Array.from(expected[from] ?? []);
    const edit = routers[from]?.edit();
    assert.ok(edit !== undefined);
    const changes = i % 5 === 0 ? COUNT : 3;
    for (let k = 0; k < changes; k++) {
      const n = (i * 31 + k) % COUNT;
      if ((i + k) % 4 === 0) edit.remove(uuid(n));
      else edit.put(route({ id: uuid(n), ...fieldsOf(n) }), `${i} ${n}`);
      values[n] = (i + k) % 4 === 0 ? undefined : `${i} ${n}`;
    }
    routers.push(edit.commit());
    expected.push(values);
  }
  for (const [i, router] of routers.entries()) {
    const found = first.map((_, n) => router.match(inputFor(n))?.value);
    assert.deepEqual(found, expected[i]);
  }
});

test('labels longer than a node’s words, and children from the first byte to the last', () => {
  const edit = Router.empty<string>('traditional_compatible').edit();
  const tails = Array.from({ length: 256 }, (_, byte) => `/${'long'.repeat(50)}${String.fromCharCode(byte)}`);
  for (const [n, path] of tails.entries()) {
    const configured = n < 0x80 ? path : `~${path.slice(0, -1)}\\x{${n.toString(16)}}`;
    edit.put(route({ id: uuid(n), paths: [configured] }), String(n));
  }
  const router = edit.commit();
  const utf8 = (path: string): string => Buffer.from(path).toString('latin1');
  for (const [n, path] of tails.entries())
    assert.equal(router.match(request({ path: n < 0x80 ? path : utf8(path) }))?.value, String(n));
  assert.equal(router.match(request({ path: `/${'long'.repeat(49)}lonx!` })), null);
});
