/**
 * How records become texts in a store and back. With keys for secrets at rest (sealing.ts) the value and the unique
 * values are sealed as one text, and an index has a mark in the place of each unique value. In clear are what a store
 * needs to find its way without keys: collection, key, times, owners. So a key of a record must not be a secret.
 *
 * Records from before there were keys are read as they are; they are sealed when they are written again, or by rotation
 * (`sluice secrets rotate`).
 */
import type { Values } from '../../entities/schema/field.ts';
import { SealingError } from '../seal-keys.ts';
import type { Sealer } from '../sealing.ts';
import type { Owner, RecordInput } from './records.ts';

export type Content = Pick<Required<RecordInput>, 'value' | 'unique' | 'owners'>;

export interface Encoded {
  /** JSON. */
  readonly content: string;
  /** What stands in the index for each unique value, by its name. */
  readonly unique: Readonly<Record<string, string>>;
}

/** As it is stored: in clear, or with `sealed`, and marks as `unique`. */
interface StoredContent {
  readonly value?: Values;
  readonly sealed?: string;
  readonly unique: Readonly<Record<string, string>>;
  readonly owners: readonly Owner[];
}

/** Characters of a content that tell by which key it is sealed. */
export const HEAD = 64;

export class RecordCodec {
  readonly #sealer: Sealer;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  encode(collection: string, { key, value, unique = {}, owners = [] }: RecordInput): Encoded {
    const marks = Object.fromEntries(
      Object.entries(unique).map(([index, text]) => [
        index,
        this.uniqueTexts(collection, index, text)[0] ?? '',
      ]),
    );
    const secret = JSON.stringify({ value, unique });
    const sealed = this.#sealer.sealText(placeOf(collection, key), secret);
    const stored: StoredContent =
      sealed === secret ? { value, unique, owners } : { sealed, unique: marks, owners };
    return { content: JSON.stringify(stored), unique: marks };
  }

  /** @throws SealingError when it cannot be opened. */
  decode(collection: string, key: string, content: string): Content {
    const { value = {}, sealed, unique, owners } = JSON.parse(content) as StoredContent;
    if (sealed === undefined) return { value, unique, owners };
    const text = this.#sealer.openText(placeOf(collection, key), sealed);
    return { ...(JSON.parse(text) as Pick<Content, 'value' | 'unique'>), owners };
  }

  /** What no key is needed for: unique values as they stand in the index, and owners. */
  links(content: string): Pick<Content, 'unique' | 'owners'> {
    const { unique, owners } = JSON.parse(content) as StoredContent;
    return { unique, owners };
  }

  /** Id of the key that sealed it, empty in clear. @param head the first `HEAD` characters of a content are enough. */
  keyOf(head: string): string {
    return this.#sealer.keyOfText(/^\{"sealed":"([^"]*)/.exec(head)?.[1] ?? '');
  }

  /** Whether it is sealed as it would be now; else rotation has to write it anew. */
  isCurrent(head: string): boolean {
    return this.keyOf(head) === (this.#sealer.keyIds[0] ?? '');
  }

  /** The same content as it would be written now; null when no key that is there opens it. */
  reseal(collection: string, key: string, content: string): Encoded | null {
    try {
      return this.encode(collection, { key, ...this.decode(collection, key, content) });
    } catch (error) {
      if (error instanceof SealingError) return null;
      throw error;
    }
  }

  /** All that may stand in the index for a value, first what is written now. */
  uniqueTexts(collection: string, index: string, value: string): readonly string[] {
    return this.#sealer.textMarks(['records', collection, index], value);
  }
}

function placeOf(collection: string, key: string): readonly string[] {
  return ['records', collection, key];
}
