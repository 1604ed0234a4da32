import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Balancer } from '../balancer/balancer.ts';
import { NodeTargets } from '../zone/targets/node-targets.ts';
import { TargetZone } from '../zone/targets/target-zone.ts';
import { SnapshotBuilder } from './builder.ts';
import { diffImages, encodeDelta } from './image-delta.ts';
import { encodeImage } from './image-encode.ts';
import type { Snapshot } from './snapshot.ts';
import '../../test/support/fixed-seed.ts';

const FLAVOR = 'traditional_compatible';

/** Targets (host to weight) of upstreams, by the upstream's name. */
type Pools = Readonly<Record<string, Readonly<Record<string, number>>>>;

const times = { created_at: 1, updated_at: 1 };
const upstream = (name: string, id = name, algorithm = 'round-robin') => ({
  id: `upstream-${id}`,
  name,
  algorithm,
  host_header: null,
  ...times,
});
const target = (pool: string, host: string, weight: number) => ({
  id: `target-${pool}-${host}`,
  upstream: { id: `upstream-${pool}` },
  target: `${host}:80`,
  weight,
  ...times,
});

function image(revision: number, pools: Pools, algorithm = 'round-robin'): SharedArrayBuffer {
  const targets = Object.entries(pools).flatMap(([pool, hosts]) =>
    Object.entries(hosts).map(([host, weight]) => target(pool, host, weight)),
  );
  const upstreams = Object.keys(pools).map((name) => upstream(name, name, algorithm));
  return encodeImage(
    new Map<string, object[]>([
      ['upstreams', upstreams],
      ['targets', targets],
    ]),
    {
      revision,
      hash: '0'.repeat(32),
    },
  );
}

async function serve(builder: SnapshotBuilder, bytes: SharedArrayBuffer): Promise<Snapshot> {
  builder.commit(await builder.prepare(bytes, FLAVOR));
  return builder.current;
}

const service = (host: string) => ({ host, balancing: { upstreams: null, balancer: null } });

const firstOf = (balancer: Balancer | null | undefined): string | null => balancer?.next(null)?.host ?? null;

/** Who is taken, by upstream. */
function hostsOf({ upstreams }: Snapshot): Record<string, string[]> {
  return Object.fromEntries(
    [...upstreams.byName].map(([name, balancer]) => {
      const hosts = Array.from({ length: 60 }, () => firstOf(balancer)).filter((host) => host !== null);
      return [name, [...new Set(hosts)].sort()];
    }),
  );
}

test('a service is balanced when its host is the name of an upstream, in each snapshot anew', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const pool = service('pool');
  const first = image(1, { pool: { a: 1 } });
  const before = await serve(builder, first);
  assert.equal(firstOf(before.upstreams.of(pool)), 'a');
  assert.equal(before.upstreams.of(service('Pool')), null);
  const second = image(2, { pool: { b: 1 } });
  const changed = await serve(builder, diffImages(first, second));
  assert.equal(firstOf(changed.upstreams.of(pool)), 'b');
  const gone = await serve(builder, diffImages(second, image(3, {})));
  assert.equal(gone.upstreams.of(pool), null);
  assert.equal(firstOf(before.upstreams.of(pool)), 'a', 'a snapshot stays as it was');
});

test('balancers of upstreams that did not change go on', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  const first = image(1, { one: { a: 1 }, two: { b: 1 } });
  const before = await serve(builder, first);
  const second = image(2, { one: { a: 1 }, two: { b: 1, c: 1 } });
  const after = await serve(builder, diffImages(first, second));
  assert.equal(after.upstreams.byName.get('one'), before.upstreams.byName.get('one'));
  assert.notEqual(after.upstreams.byName.get('two'), before.upstreams.byName.get('two'));
  const third = await serve(builder, diffImages(second, image(3, { one: { a: 1 }, two: { b: 1, c: 1 } })));
  assert.equal(third.upstreams, after.upstreams);
});

test('upstreams change names with each other, and targets their upstream', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  await serve(builder, image(1, { one: { a: 1 }, two: { b: 1 } }));
  const put = [
    { kind: 'upstreams', entity: upstream('two', 'one') },
    { kind: 'upstreams', entity: upstream('one', 'two') },
  ];
  const meta = { revision: 2, hash: '', baseRevision: 1 };
  const swapped = await serve(builder, encodeDelta({ put, removed: [] }, meta));
  assert.deepEqual(hostsOf(swapped), { two: ['a'], one: ['b'] });
  const moved = { ...target('one', 'a', 1), upstream: { id: 'upstream-two' } };
  const next = { put: [{ kind: 'targets', entity: moved }], removed: [] };
  const after = await serve(builder, encodeDelta(next, { revision: 3, hash: '', baseRevision: 2 }));
  assert.deepEqual(hostsOf(after), { two: [], one: ['a', 'b'] });
});

test('targets go with their upstream, whether the delta names them or not', async () => {
  const builder = new SnapshotBuilder(FLAVOR);
  await serve(builder, image(1, { one: { a: 1 } }));
  const removed = [
    { kind: 'upstreams', id: 'upstream-one' },
    { kind: 'targets', id: 'target-none' },
  ];
  await serve(builder, encodeDelta({ put: [], removed }, { revision: 2, hash: '', baseRevision: 1 }));
  const put = [{ kind: 'upstreams', entity: upstream('one') }];
  const again = await serve(
    builder,
    encodeDelta({ put, removed: [] }, { revision: 3, hash: '', baseRevision: 2 }),
  );
  assert.deepEqual(hostsOf(again), { one: [] });
});

test('workers begin with different targets', async () => {
  const pools = { one: { a: 1, b: 1, c: 1, d: 1 } };
  const firsts = await Promise.all(
    [0, 1, 2, 3].map(async (workerId) => {
      const { upstreams } = await serve(new SnapshotBuilder(FLAVOR, { workerId }), image(1, pools));
      return firstOf(upstreams.byName.get('one'));
    }),
  );
  assert.ok(new Set(firsts).size >= 3, firsts.join(' '));
});

test('property: deltas lead where the whole configuration does', async () => {
  const weights = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 0, max: 3 }));
  const pools = fc.dictionary(fc.constantFrom('one', 'two', 'three'), weights);
  await fc.assert(
    fc.asyncProperty(fc.array(pools, { minLength: 2, maxLength: 5 }), async (all) => {
      const images = all.map((one, n) => image(n + 1, one));
      const builder = new SnapshotBuilder(FLAVOR);
      for (const [n, next] of images.entries()) {
        const served = await serve(builder, diffImages(images[n - 1] ?? null, next));
        assert.deepEqual(hostsOf(served), hostsOf(await serve(new SnapshotBuilder(FLAVOR), next)));
      }
    }),
  );
});

test('what is in flight is known to each snapshot that follows, and slots go with the last that has the target', async () => {
  const node = new NodeTargets(1, 16);
  const targets = new TargetZone(node.buffer, 0, node.shape);
  const builder = new SnapshotBuilder(FLAVOR, { targets });
  const least = (revision: number, hosts: Pools[string]): SharedArrayBuffer =>
    image(revision, { pool: hosts }, 'least-connections');
  const balancerOf = ({ upstreams }: Snapshot): Balancer | undefined => upstreams.byName.get('pool');
  const images = [
    least(1, { a: 1, b: 1 }),
    least(2, { a: 1, b: 1, c: 1 }),
    least(3, { b: 1, c: 1 }),
  ] as const;

  const first = await serve(builder, images[0]);
  const busy = balancerOf(first)?.next(null);
  assert.ok(busy?.load);
  for (let n = 0; n < 5; n++) busy.load.begin();
  const takenOf = (snapshot: Snapshot, count: number): string[] =>
    Array.from({ length: count }, () => balancerOf(snapshot)?.next(null)?.host ?? '').toSorted();
  // One that is built and never served holds nothing.
  for (let n = 0; n < 20; n++) await builder.prepare(least(2, { [`x${n}`]: 1 }), FLAVOR);
  const second = await serve(builder, images[1]);
  assert.ok(!takenOf(second, 30).includes(busy.host));
  // Targets that come and go, many more than there are slots.
  let last = images[1];
  for (let revision = 3; revision < 60; revision++) {
    const next = least(revision, { [busy.host]: 1, [`new${revision}`]: 1 });
    const served = await serve(builder, diffImages(last, next));
    assert.equal(served.upstreams.alone, 0);
    assert.deepEqual(new Set(takenOf(served, 4)), new Set([`new${revision}`]));
    last = next;
  }
  for (let n = 0; n < 5; n++) busy.load.end();
});
