/** The store's records for plugins that need versions, unique values and owners: reads from the worker's cache, writes to the store. */
import type { RecordCollections } from '../kit/services.ts';
import type { RecordAccess } from './records.ts';

/** UTF-16 units of a key or value: longer ones are no record's. */
const MAX_NAME = 512;

const isName = (text: string): boolean =>
  text.length > 0 && text.length <= MAX_NAME && text.isWellFormed() && !text.includes('\0');

/** @param open throws without a database. */
export function sharedCollections(open: () => RecordAccess): RecordCollections {
  return {
    get: (collection, key) => (isName(key) ? open().reader.get(collection, key) : null),
    findBy: (collection, index, value) =>
      isName(value) ? open().reader.findBy(collection, index, value) : null,
    put: async (collection, record, options) => (await open().writer.put(collection, record, options)).stored,
    delete: async (collection, key, options) => await open().writer.delete(collection, key, options),
  };
}
