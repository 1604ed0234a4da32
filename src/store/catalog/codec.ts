/** How entities become texts in a catalog and back; secrets may be sealed on the way (sealing.ts). */
import type { Values } from '../../entities/schema/field.ts';

export interface EntityCodec {
  encode(kind: string, entity: Values): string;
  decode(kind: string, text: string): Values;
  /** What stands in a unique index for a value: a sealed one must not stand there in clear. */
  uniqueText(kind: string, field: string, value: string): string;
}

/** In clear. */
export const PLAIN_CODEC: EntityCodec = {
  encode: (_kind, entity) => JSON.stringify(entity),
  decode: (_kind, text) => JSON.parse(text) as Values,
  uniqueText: (_kind, _field, value) => value,
};
