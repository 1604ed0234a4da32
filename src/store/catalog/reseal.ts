/**
 * Sealing anew what is not sealed by the first key: entities, the log's texts, and the marks of unique values.
 *
 * It goes through a catalog in the order of keys and remembers only where it is, so that commits may happen between any
 * two steps: each row is read again when its turn comes. What is written meanwhile is sealed by the first key anyway.
 */
import { secretFields } from '../../entities/secrets.ts';
import { SealingError } from '../seal-keys.ts';
import type { Values } from '../../entities/schema/field.ts';
import type { EntityCodec } from './codec.ts';
import { type KindIndex, kindIndexes } from './kind-index.ts';
import type { Rows } from './rows.ts';

export interface Resealed {
  /** Entities that were written anew. */
  entities: number;
  /** Texts of the log. */
  log: number;
  /** Records (`records/record-seals.ts`). */
  records: number;
  /** What no key that is there opens; it stays as it is. */
  unreadable: number;
}

/** How many secrets are sealed by which key; `''` counts those in clear. */
export interface SealCounts {
  readonly entities: Readonly<Record<string, number>>;
  readonly log: Readonly<Record<string, number>>;
  readonly records: Readonly<Record<string, number>>;
}

export const NOTHING_RESEALED: Resealed = { entities: 0, log: 0, records: 0, unreadable: 0 };

const BATCH = 200;

/** Kinds of which some entity may have a secret. */
function kindsWithSecrets(): readonly KindIndex[] {
  return kindIndexes().filter(
    ({ definition }) => secretFields(definition).length > 0 || definition.variants !== undefined,
  );
}

/** Kinds of which none has one. Of a plugin's kind that this node does not know, nobody can tell. */
export function plainKinds(): readonly string[] {
  const secret = new Set(kindsWithSecrets());
  return kindIndexes()
    .filter((kind) => !secret.has(kind))
    .map(({ name }) => name);
}

const marksOf = (kinds: readonly string[]): string => kinds.map(() => '?').join(', ');

/** A text as the first key seals it; the text itself when it is so already, null when it cannot be opened. */
export function resealText(codec: EntityCodec, kind: string, text: string): string | null {
  if (codec.isCurrent(kind, text)) return text;
  try {
    const next = codec.encode(kind, codec.decode(kind, text));
    // What is sealed of a kind that this node does not know stays so.
    return codec.isCurrent(kind, next) ? next : null;
  } catch (error) {
    if (error instanceof SealingError) return null;
    throw error;
  }
}

interface Place {
  readonly kind: string;
  readonly id: string;
}

function* entitiesOf({ connection }: Rows): Generator<Place> {
  let last: Place = { kind: '', id: '' };
  const kinds = plainKinds();
  for (;;) {
    const sql = `SELECT kind, id FROM entities WHERE (kind, id) > (?, ?) AND kind NOT IN (${marksOf(kinds)})
      ORDER BY kind, id LIMIT ${BATCH}`;
    const rows = connection.all(sql, last.kind, last.id, ...kinds);
    for (const row of rows) yield (last = { kind: String(row['kind']), id: String(row['id']) });
    if (rows.length < BATCH) return;
  }
}

interface LogPlace extends Place {
  readonly revision: number;
}

function* logOf({ connection }: Rows): Generator<LogPlace> {
  let last: LogPlace = { revision: 0, kind: '', id: '' };
  const kinds = plainKinds();
  for (;;) {
    const sql = `SELECT revision, kind, id FROM changes WHERE (revision, kind, id) > (?, ?, ?) AND kind NOT IN (${marksOf(kinds)})
      ORDER BY revision, kind, id LIMIT ${BATCH}`;
    const rows = connection.all(sql, last.revision, last.kind, last.id, ...kinds);
    for (const row of rows) {
      yield (last = {
        revision: Number(row['revision']),
        kind: String(row['kind']),
        id: String(row['id']),
      });
    }
    if (rows.length < BATCH) return;
  }
}

/** Texts of one change, as they are now. */
function textsOf({ connection }: Rows, { revision, kind, id }: LogPlace): Array<string | null> {
  const sql = 'SELECT before, after FROM changes WHERE revision = ? AND kind = ? AND id = ?';
  const row = connection.get(sql, revision, kind, id);
  return [row?.['before'], row?.['after']].map((text) => (typeof text === 'string' ? text : null));
}

/** Each step writes at most one row, in the transaction that is open then. */
export function* resealing(rows: Rows, codec: EntityCodec, done: Resealed): Generator<void> {
  for (const { kind, id } of entitiesOf(rows)) {
    const text = rows.text(kind, id);
    if (text !== null) resealEntity(rows, codec, { kind, text, done });
    yield;
  }
  for (const place of logOf(rows)) {
    resealChange(rows, codec, place, done);
    yield;
  }
  yield* remarking(rows, codec);
}

function resealEntity(
  rows: Rows,
  codec: EntityCodec,
  { kind, text, done }: { kind: string; text: string; done: Resealed },
): void {
  const next = resealText(codec, kind, text);
  if (next === null) done.unreadable++;
  if (next === null || next === text) return;
  const entity = rows.decode(kind, text);
  replace(rows, kind, entity, next);
  done.entities++;
}

/** In one step: the transaction may end after any. */
function replace(rows: Rows, kind: string, entity: Values, text: string): void {
  for (const steps of [rows.removeInSteps(kind, entity), rows.putInSteps(kind, entity, text)]) {
    while (steps.next().done !== true);
  }
}

function resealChange(rows: Rows, codec: EntityCodec, place: LogPlace, done: Resealed): void {
  const { revision, kind, id } = place;
  const texts = textsOf(rows, place);
  const next = texts.map((text) => (text === null ? null : resealText(codec, kind, text)));
  const changed = next.filter((text, index) => text !== null && text !== texts[index]).length;
  done.unreadable += next.filter((text, index) => text === null && texts[index] !== null).length;
  if (changed === 0) return;
  rows.connection.run(
    'UPDATE changes SET before = ?, after = ? WHERE revision = ? AND kind = ? AND id = ?',
    next[0] ?? texts[0] ?? null,
    next[1] ?? texts[1] ?? null,
    revision,
    kind,
    id,
  );
  done.log += changed;
}

/** An entity of another node may be sealed by the first key and yet marked, here, when another was the first. */
function* remarking(rows: Rows, codec: EntityCodec): Generator<void> {
  for (const { name: kind, uniques } of kindsWithSecrets()) {
    for (const { name: field } of uniques) {
      let last = '';
      for (let more = true; more;) {
        const found = rows.connection.all(
          'SELECT value, id FROM uniques WHERE kind = ? AND field = ? AND value > ? ORDER BY value LIMIT ?',
          kind,
          field,
          last,
          BATCH,
        );
        for (const row of found) {
          last = String(row['value']);
          if (!codec.isCurrentMark(kind, field, last)) remark(rows, kind, String(row['id']));
          yield;
        }
        more = found.length === BATCH;
      }
    }
  }
}

function remark(rows: Rows, kind: string, id: string): void {
  const text = rows.text(kind, id);
  if (text === null) return;
  let entity;
  try {
    entity = rows.decode(kind, text);
  } catch (error) {
    if (error instanceof SealingError) return;
    throw error;
  }
  replace(rows, kind, entity, text);
}

/** Counts into `counts`, a row in each step. */
export function* countingSeals(
  rows: Rows,
  codec: EntityCodec,
  counts: { readonly entities: Record<string, number>; readonly log: Record<string, number> },
): Generator<void> {
  for (const { kind, id } of entitiesOf(rows)) {
    const text = rows.text(kind, id);
    if (text !== null) countInto(counts.entities, codec.keysOf(kind, text));
    yield;
  }
  for (const place of logOf(rows)) {
    for (const text of textsOf(rows, place)) {
      if (text !== null) countInto(counts.log, codec.keysOf(place.kind, text));
    }
    yield;
  }
}

export function countInto(counts: Record<string, number>, keys: readonly string[]): void {
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1;
}
