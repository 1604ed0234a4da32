/** A data plane in the test's own process that serves streams by a declarative configuration. */
import assert from 'node:assert/strict';
import { SnapshotBuilder } from '../../src/snapshot/builder.ts';
import { encodeImage } from '../../src/snapshot/image-encode.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { compileDeclarative } from '../../src/store/file/compile.ts';
import { renderErrors } from '../../src/store/file/render.ts';
import { startPlane, type TestPlane } from './data-plane.ts';
import { freePort } from './ports.ts';

type Flavor = 'traditional_compatible' | 'expressions' | 'traditional';

/** What a worker makes of a configuration. */
export async function snapshotOf(
  config: Readonly<Record<string, unknown>>,
  flavor: Flavor = 'traditional_compatible',
): Promise<Snapshot> {
  const text = JSON.stringify({ _format_version: '3.0', ...config });
  const result = compileDeclarative(text, { filename: 'kong.yml', flavor, now: 1_700_000_000 });
  assert.deepEqual(result.ok ? [] : renderErrors(result.errors, ''), []);
  assert.ok(result.ok);
  const { entities } = result.config;
  const image = encodeImage(entities, { revision: 1, hash: '0'.repeat(32) });
  return new SnapshotBuilder(flavor).prepare(image, flavor);
}

export interface StreamPlane extends TestPlane {
  /** Of the first listener of `stream_listen`. */
  readonly streamPort: number;
  configure(config: Readonly<Record<string, unknown>>): Promise<void>;
}

/** @param flags of the listener, such as `ssl`. */
export async function startStreamPlane(
  config: Readonly<Record<string, unknown>>,
  flags = '',
  settings: Readonly<Record<string, string>> = {},
): Promise<StreamPlane> {
  const streamPort = await freePort();
  const it = await startPlane(1, {
    settings: { stream_listen: `127.0.0.1:${streamPort} ${flags}`, ...settings },
  });
  const configure = async (next: Readonly<Record<string, unknown>>): Promise<void> => {
    it.plane.applySnapshot(await snapshotOf(next));
  };
  await configure(config);
  return { ...it, streamPort, configure };
}
