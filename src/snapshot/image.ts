/**
 * The compiled configuration as immutable bytes in one SharedArrayBuffer.
 *
 * The compiler thread encodes; main and the workers read the same memory, so a configuration is never copied between
 * threads. A worker decodes one small record per `next()` and so chooses how long it works before requests run.
 *
 * A whole image carries every kind of entity: it is what `GET /config` prints and what a worker that starts is given.
 * Workers decode the kinds that the data plane reads and pass over the others, and a delta holds nothing else. The
 * bytes are described in image-format.ts; deltas are made in image-delta.ts.
 */
import type { CaCertificate } from '../entities/ca-certificate.ts';
import type { Certificate } from '../entities/certificate.ts';
import type { KeySet } from '../entities/key-set.ts';
import type { Key } from '../entities/key.ts';
import type { Plugin } from '../entities/plugin.ts';
import type { Route } from '../entities/route.ts';
import type { Values } from '../entities/schema/field.ts';
import type { Service } from '../entities/service.ts';
import type { Sni } from '../entities/sni.ts';
import type { Target } from '../entities/target.ts';
import type { Upstream } from '../entities/upstream.ts';
import type { Vault } from '../entities/vault.ts';
import { ImageView } from './image-format.ts';

interface RuntimeEntities {
  readonly vaults: Vault;
  readonly certificates: Certificate;
  readonly ca_certificates: CaCertificate;
  readonly snis: Sni;
  readonly key_sets: KeySet;
  readonly keys: Key;
  readonly services: Service;
  readonly upstreams: Upstream;
  readonly routes: Route;
  readonly targets: Target;
  readonly plugins: Plugin;
}

type RuntimeKind = keyof RuntimeEntities;

type Put = {
  readonly [K in RuntimeKind]: { readonly op: 'put'; readonly kind: K; readonly entity: RuntimeEntities[K] };
}[RuntimeKind];

export type ImageRecord = Put | { readonly op: 'remove'; readonly kind: RuntimeKind; readonly id: string };

export interface Image {
  readonly revision: number;
  /** Null: a whole configuration. A number: a delta that applies to that revision alone. */
  readonly baseRevision: number | null;
  readonly hash: string;
  /** Number of records of all kinds. */
  readonly length: number;
  /**
   * Records of the kinds that the data plane reads: removals first, children before parents; then what is put, parents
   * before children. A record is decoded when it is asked for.
   * @param kinds only these; all unless said.
   */
  records(kinds?: ReadonlySet<string>): Generator<ImageRecord>;
  /**
   * What is put, parents before children, and in the order of the configuration.
   * @param kinds only these; all unless said.
   */
  entities(kinds?: ReadonlySet<string>): Generator<{ readonly kind: string; readonly entity: Values }>;
}

/** What workers decode. A kind that begins to matter to them gets its line here and in {@link RuntimeEntities}. */
export const RUNTIME: ReadonlySet<string> = new Set<RuntimeKind>([
  'vaults',
  'certificates',
  'ca_certificates',
  'snis',
  'key_sets',
  'keys',
  'services',
  'upstreams',
  'routes',
  'targets',
  'plugins',
]);

/** Throws when the bytes are not an image. */
export function readImage(image: SharedArrayBuffer): Image {
  const view = new ImageView(image);
  const { revision, baseRevision, hash } = view.meta;
  const { length } = view;
  return {
    revision,
    baseRevision,
    hash,
    length,
    records: (kinds = RUNTIME) => records(view, kinds),
    entities: (kinds) => entities(view, kinds),
  };
}

function* records(view: ImageView, kinds: ReadonlySet<string>): Generator<ImageRecord> {
  for (const { op, kind, first, end } of view.sections) {
    if (!RUNTIME.has(kind) || !kinds.has(kind)) continue;
    for (let row = first; row < end; row++) {
      if (op === 'remove') yield { op, kind: kind as RuntimeKind, id: view.id(row) };
      else yield { op, kind, entity: view.entity(row) } as unknown as Put;
    }
  }
}

function* entities(
  view: ImageView,
  kinds: ReadonlySet<string> | undefined,
): Generator<{ kind: string; entity: Values }> {
  for (const { op, kind, first, end } of view.sections) {
    if (op === 'remove' || kinds?.has(kind) === false) continue;
    for (let row = first; row < end; row++) yield { kind, entity: view.entity(row) };
  }
}
