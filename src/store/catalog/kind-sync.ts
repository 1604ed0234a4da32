/**
 * Index rows of plugins' entities follow from what the plugin says of them now. When that changes, or a plugin comes or
 * goes, the rows of its kinds are indexed anew; the entities themselves stay as they are.
 */
import { pluginKinds } from '../../entities/plugin-entities.ts';
import { indexText, isKept } from './kind-index.ts';
import type { Rows } from './rows.ts';

/** By what each kind is indexed, as the catalog remembers it. */
export type IndexTexts = Readonly<Record<string, string>>;

const PAGE = 200;

/** Kinds whose index rows are not what they should be. */
export function staleKinds(before: IndexTexts): string[] {
  const names = new Set([...Object.keys(before), ...pluginKinds().keys()]);
  return [...names].filter((name) => (before[name] ?? '') !== indexText(name));
}

/** What to remember when it is done. */
export function indexTexts(): IndexTexts {
  return Object.fromEntries([...pluginKinds().keys()].map((name) => [name, indexText(name)]));
}

/** In the transaction that is open. */
export function* indexingAnew(rows: Rows, kind: string): Generator<void> {
  const { connection } = rows;
  for (const table of ['uniques', 'refs', 'tags', 'expiries'])
    connection.run(`DELETE FROM ${table} WHERE kind = ?`, kind);
  let after = '';
  for (;;) {
    const page = connection.all(
      'SELECT id, text FROM entities WHERE kind = ? AND id > ? ORDER BY id LIMIT ?',
      kind,
      after,
      PAGE,
    );
    for (const { text } of page) yield* rows.indexInSteps(kind, rows.decode(kind, String(text)));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = String(last['id']);
    yield;
  }
}

/** Kinds of entities that are kept for plugins that this node does not have, and how many there are. */
export function keptKinds({ connection }: Rows): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  let last = '';
  for (;;) {
    const row = connection.get('SELECT kind FROM entities WHERE kind > ? ORDER BY kind LIMIT 1', last);
    if (row === undefined) return counts;
    last = String(row['kind']);
    if (!isKept(last)) continue;
    const found = connection.get('SELECT count(*) AS n FROM entities WHERE kind = ?', last);
    counts.set(last, Number(found?.['n']));
  }
}
