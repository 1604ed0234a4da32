/** By what long lists of entries may be split (`bucket.ts`): the methods of a route, then its headers by name. */
import { headerRegex } from '../entities/formats/header-regex.ts';
import type { Route } from '../entities/route.ts';
import type { Split } from './entry.ts';
import { encodeBytes, lowerBytes } from './regex.ts';
import type { RouterFlavor } from './router.ts';

const MAX_SPLIT_VALUES = 64;
const MAX_SPLIT_PLACES = 256;
const NO_SPLITS: readonly Split[] = [];

/** Splits of routes that have nothing but methods to split by, shared: there are few sets of methods. */
const methodSplits = new Map<string, readonly Split[]>();
const MAX_METHOD_SPLITS = 1000;

export function splitsOf(route: Route, flavor: RouterFlavor): readonly Split[] {
  if (route.headers !== null) return newSplits(route, flavor);
  const key = route.methods?.join(' ') ?? '';
  if (key === '') return NO_SPLITS;
  let splits = methodSplits.get(key);
  if (splits === undefined) {
    if (methodSplits.size >= MAX_METHOD_SPLITS) methodSplits.clear();
    splits = newSplits(route, flavor);
    methodSplits.set(key, splits);
  }
  return splits;
}

function newSplits(route: Route, flavor: RouterFlavor): Split[] {
  const splits: Split[] = [];
  let places = 1;
  const add = (name: string, values: readonly string[]): void => {
    const distinct = [...new Set(values)];
    if (distinct.length > MAX_SPLIT_VALUES || distinct.length * places > MAX_SPLIT_PLACES) return;
    places *= distinct.length;
    splits.push({ name, values: distinct });
  };
  const methods = route.methods ?? [];
  if (methods.length > 0) add('', methods.map(encodeBytes));
  for (const [name, values] of Object.entries(route.headers ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const literal = values.every((value) => headerRegex(value, values, flavor) === null);
    if (values.length > 0 && literal) {
      add(
        name.toLowerCase(),
        values.map((value) => lowerBytes(encodeBytes(value))),
      );
    }
  }
  return splits;
}
