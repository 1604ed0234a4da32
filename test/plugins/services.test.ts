/** What plugins are handed, on a data plane. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CaCertificate } from '../../src/entities/ca-certificate.ts';
import type { Plugin } from '../../src/entities/plugin.ts';
import type { Vault } from '../../src/entities/vault.ts';
import { Trust } from '../../src/snapshot/trust.ts';
import { startPlane, type TestPlane } from '../support/data-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { NodeSharedZone } from '../../src/zone/shared/node-shared-zone.ts';
import { waitFor } from '../support/wait.ts';

const PLUGIN = { id: 'p', name: 'mine', config: {} } as unknown as Plugin;

function trustOf(cert: string, vaults: ReadonlyArray<Pick<Vault, 'prefix' | 'name' | 'config'>> = []): Trust {
  const authority = { id: 'a', cert } as unknown as CaCertificate;
  return new Trust(new Map(), new Map([['a', authority]]), new Map(), vaults as unknown as readonly Vault[]);
}

test('the node is told by name and a lasting id', async () => {
  await using plane = await startPlane(1);
  const { node } = plane.plane.services.of(PLUGIN).services;
  assert.match(node.id, /^[0-9a-f-]{36}$/);
  assert.equal(plane.plane.services.of({ ...PLUGIN, id: 'q' }).services.node.id, node.id);
  assert.deepEqual([node.hostname, node.workerId], [hostname(), 0]);
});

test('secrets and authorities are those of the snapshot to come while it is built, then those that are served', async () => {
  await using folder = await tempDir();
  await writeFile(join(folder.path, 'one'), 'hidden\n');
  await using plane = await startPlane(1, { settings: { vault_file_base: folder.path } });
  const maker = plane.plane.services;
  maker.coming = trustOf('new', [{ prefix: 'mine', name: 'file', config: {} }]);
  const { services } = maker.of(PLUGIN);
  assert.equal(services.caCertificate('a'), 'new');
  assert.equal(services.caCertificate('b'), null);
  assert.equal(services.secret('{vault://mine/one}'), 'hidden');
  assert.equal(services.secret('plain'), 'plain');
  plane.serve(trustOf('served'));
  assert.equal(services.caCertificate('a'), 'served');
  assert.throws(
    () => services.secret('{vault://mine/one}'),
    ({ message }: Error) => message.includes("no vault 'mine'") && !message.includes('hidden'),
  );
});

test('scheduled work: one call at a time, failures are no end, and none after the release', async () => {
  await using plane = await startPlane(1);
  const { services, release } = plane.plane.services.of(PLUGIN);
  const counts = { quick: 0, failing: 0, slow: 0 };
  services.every(10, () => void counts.quick++);
  services.every(10, () => {
    counts.failing++;
    throw new Error('no');
  });
  services.every(10, () => (counts.slow++, new Promise(() => {})));
  await waitFor(() => counts.quick > 5 && counts.failing > 5);
  assert.equal(counts.slow, 1);
  release();
  const { quick } = counts;
  let later = false;
  plane.plane.services.of(PLUGIN).services.every(10, () => void (later = true));
  await waitFor(() => later);
  assert.equal(counts.quick, quick);
  assert.throws(() => services.every(0, () => {}), RangeError);
});

async function startTwo(): Promise<{ node: NodeSharedZone; planes: readonly [TestPlane, TestPlane] }> {
  const node = new NodeSharedZone(256 * 1024);
  const [one, other] = await Promise.all(
    [0, 1].map((workerId) => startPlane(1, { shared: node.buffer, workerId })),
  );
  if (one === undefined || other === undefined) throw new Error('two were asked for');
  return { node, planes: [one, other] };
}

test('counters and values of a plugin are those of all workers, and not of other plugins', async () => {
  const { planes } = await startTwo();
  await using one = planes[0];
  await using other = planes[1];
  const [a, b] = planes.map((plane) => plane.plane.services.of(PLUGIN).services);
  const stranger = other.plane.services.of({ ...PLUGIN, name: 'strange' }).services;
  assert.equal(a?.counters.increment('k', 2), 2);
  assert.equal(b?.counters.increment('k'), 3);
  assert.equal(stranger.counters.get('k'), 0);
  assert.equal(a.shared.add('k', 'v'), true);
  assert.equal(b.shared.add('k', 'w'), false);
  assert.equal(b.shared.get('k')?.toString(), 'v');
  assert.equal(stranger.shared.get('k'), null);
  assert.equal(one.plane.services.of(PLUGIN).services.counters.get('k'), 3);
});

test("a node's scheduled work is done by one worker, and by another when that one is gone", async () => {
  const { node, planes } = await startTwo();
  await using one = planes[0];
  await using other = planes[1];
  const counts = [0, 0];
  for (const [worker, plane] of [one, other].entries()) {
    plane.plane.services.of(PLUGIN).services.every(10, () => void counts[worker]!++, 'node');
  }
  await waitFor(() => counts[0]! + counts[1]! > 5);
  const leader = counts[0]! > 0 ? 0 : 1;
  assert.equal(counts[1 - leader], 0);
  // As the supervisor does when a worker has died.
  node.clearWorker(leader);
  await (leader === 0 ? one : other).plane.close();
  const before = counts[1 - leader]!;
  await waitFor(() => counts[1 - leader]! > before);
});
