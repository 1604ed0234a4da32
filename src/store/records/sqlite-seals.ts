/**
 * Rotation of the keys that seal records in SQLite: what an older key has sealed is written anew, a few rows in a
 * transaction with whatever else is written then. Each row is read again when its turn comes.
 *
 * At the end the file is written anew, since a database keeps what was replaced until it needs the place. That may take
 * seconds, so a thread does it. Reads go on; writes wait for it in their queue.
 */
import type { Connection } from '../catalog/connection.ts';
import { countInto, NOTHING_RESEALED, type Resealed } from '../catalog/reseal.ts';
import { Slices } from '../slices.ts';
import { HEAD, type RecordCodec } from './record-codec.ts';
import type { RecordSeals } from './record-seals.ts';
import { scrubFile } from './scrub.ts';
import type { WriteQueue } from './write-queue.ts';

interface Place {
  readonly collection: string;
  readonly key: string;
}

interface HeadRow extends Place {
  /** The beginning of its content. */
  readonly head: string;
}

export interface SqliteSealsOptions {
  readonly path: string;
  readonly connection: Connection;
  readonly codec: RecordCodec;
  readonly queue: WriteQueue;
  /** Runs what only reads, while the file is open. @throws StoreUnavailable */
  readonly read: <T>(look: () => T) => Promise<T>;
}

const PAGE = 256;

export class SqliteSeals implements RecordSeals {
  readonly #options: SqliteSealsOptions;

  constructor(options: SqliteSealsOptions) {
    this.#options = options;
  }

  async reseal(): Promise<Resealed> {
    const { codec } = this.#options;
    const done = { ...NOTHING_RESEALED };
    for await (const page of this.#pages()) {
      const old = page.filter(({ head }) => !codec.isCurrent(head));
      for (let next = 0; next < old.length;) next = await this.#some(old, next, done);
    }
    return done;
  }

  async sealCounts(): Promise<Readonly<Record<string, number>>> {
    const { codec } = this.#options;
    const counts: Record<string, number> = {};
    for await (const page of this.#pages()) {
      countInto(
        counts,
        page.map(({ head }) => codec.keyOf(head)),
      );
    }
    return counts;
  }

  async scrub(): Promise<boolean> {
    const { path, queue } = this.#options;
    return await queue.without(() => scrubFile(path));
  }

  async *#pages(): AsyncGenerator<readonly HeadRow[]> {
    const slices = new Slices();
    for (let last: Place = { collection: '', key: '' }; ;) {
      const page = await this.#options.read(() => this.#heads(last));
      yield page;
      const end = page.at(-1);
      if (end === undefined || page.length < PAGE) return;
      last = end;
      if (slices.over) await slices.pause();
    }
  }

  #heads({ collection, key }: Place): HeadRow[] {
    return this.#options.connection
      .all(
        `SELECT collection, key, substr(content, 1, ${HEAD}) AS head FROM records
         WHERE (collection, key) > (?, ?) ORDER BY collection, key LIMIT ${PAGE}`,
        collection,
        key,
      )
      .map((row) => ({
        collection: String(row['collection']),
        key: String(row['key']),
        head: String(row['head']),
      }));
  }

  /** As many as fit into a slice, from `first` on. Answers which comes next. */
  async #some(places: readonly Place[], first: number, done: Resealed): Promise<number> {
    const slices = new Slices();
    const part = await this.#options.queue.add(() => {
      const slice = new Slices();
      const found = { records: 0, unreadable: 0, next: first };
      do {
        const place = places[found.next++];
        const change = place === undefined ? 'none' : this.#one(place);
        if (change !== 'none') found[change]++;
      } while (found.next < places.length && !slice.over);
      return found;
    });
    done.records += part.records;
    done.unreadable += part.unreadable;
    await slices.pause();
    return part.next;
  }

  #one({ collection, key }: Place): 'records' | 'unreadable' | 'none' {
    const { connection, codec } = this.#options;
    const row = connection.get(
      'SELECT content FROM records WHERE collection = ? AND key = ?',
      collection,
      key,
    );
    const content = row?.['content'];
    if (typeof content !== 'string' || codec.isCurrent(content)) return 'none';
    const encoded = codec.reseal(collection, key, content);
    if (encoded === null) return 'unreadable';
    connection.run(
      'UPDATE records SET content = ? WHERE collection = ? AND key = ?',
      encoded.content,
      collection,
      key,
    );
    for (const [index, text] of Object.entries(codec.links(content).unique)) {
      connection.run(
        'DELETE FROM uniques WHERE collection = ? AND field = ? AND value = ? AND key = ?',
        collection,
        index,
        text,
        key,
      );
    }
    for (const [index, text] of Object.entries(encoded.unique)) {
      // A record that was written while this one's key was away may have the value: then it keeps it.
      connection.run(
        'INSERT OR IGNORE INTO uniques (collection, field, value, key) VALUES (?, ?, ?, ?)',
        collection,
        index,
        text,
        key,
      );
    }
    return 'records';
  }
}
