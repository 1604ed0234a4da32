/**
 * `/cache`: Kong's cache of database rows. There is none here, since every node has the whole configuration: nothing is
 * ever found in it, and removing something always succeeds.
 */
import { type Methods, empty, json } from './resource.ts';

export function cache(): Methods {
  return { DELETE: () => empty(204) };
}

export function cacheEntry(): Methods {
  return { GET: () => json(404, { message: 'Not found' }), DELETE: () => empty(204) };
}
