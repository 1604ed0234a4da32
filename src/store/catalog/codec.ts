/** How entities become texts in a catalog and back; secrets are sealed on the way (sealing.ts). */
import type { Values } from '../../entities/schema/field.ts';
import type { Sealer } from '../sealing.ts';

export interface EntityCodec {
  encode(kind: string, entity: Values): string;
  /** @throws SealingError when a secret cannot be opened. */
  decode(kind: string, text: string): Values;
  /** Does it say what it would say if it were written now? Not when a secret is sealed with an older key. */
  isCurrent(kind: string, text: string): boolean;
  /** Ids of the keys by which its secrets are sealed, one for each; empty ones for those in clear. */
  keysOf(kind: string, text: string): readonly string[];
  /** Would the value that this mark stands for be marked so now? */
  isCurrentMark(kind: string, field: string, mark: string): boolean;
  /** Ids of the keys; the first seals. */
  readonly keyIds: readonly string[];
  /** What stands in a unique index for a value: a sealed one must not stand there in clear. */
  uniqueText(kind: string, field: string, value: string): string;
  /** All that may stand there: also with older keys, and from before there were keys. */
  uniqueTexts(kind: string, field: string, value: string): readonly string[];
}

/** In clear. */
export const PLAIN_CODEC: EntityCodec = {
  encode: (_kind, entity) => JSON.stringify(entity),
  decode: (_kind, text) => JSON.parse(text) as Values,
  isCurrent: () => true,
  keysOf: () => [],
  isCurrentMark: () => true,
  keyIds: [],
  uniqueText: (_kind, _field, value) => value,
  uniqueTexts: (_kind, _field, value) => [value],
};

export function sealedCodec(sealer: Sealer): EntityCodec {
  return {
    encode: (kind, entity) => JSON.stringify(sealer.seal(kind, String(entity['id']), entity)),
    decode(kind, text) {
      const entity = JSON.parse(text) as Values;
      return sealer.open(kind, String(entity['id']), entity);
    },
    keyIds: sealer.keyIds,
    keysOf: (kind, text) => sealer.keysOf(kind, JSON.parse(text) as Values),
    isCurrentMark: (kind, field, mark) => sealer.isCurrentMark(kind, field, mark),
    isCurrent: (kind, text) => sealer.isCurrent(kind, JSON.parse(text) as Values),
    uniqueText: (kind, field, value) => sealer.uniqueValue(kind, field, value),
    uniqueTexts: (kind, field, value) => sealer.uniqueValues(kind, field, value),
  };
}
