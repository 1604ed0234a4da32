/**
 * The entries at one place of the tree of paths, best first.
 *
 * A short list is simply scanned. A long one is split by method, then by each header in turn: entries that name values
 * move below those values, so that a thousand routes that differ by a header cost one look-up. Regex values cannot be
 * looked up and stay in the list. Copy on write by edit token, as the trie.
 */
import { type Entry, outranks, type Split } from './entry.ts';
import { type EditToken, find, own, place, replaceValue, TrieNode } from './trie.ts';

/** A longer list is split where its entries can be. */
const LONG = 12;

export interface SplitGroup<T> {
  /** Lower-case name of a header; '' for the method. */
  readonly name: string;
  readonly root: TrieNode<Bucket<T>>;
}

export interface Bucket<T> {
  readonly owner: EditToken;
  /** Which of an entry's splits is used here. */
  readonly depth: number;
  /** Best first. */
  readonly list: Array<Entry<T>>;
  groups: Array<SplitGroup<T>> | null;
  /** Where the last arena has it, see `freeze.ts`. */
  arena: object | null;
  place: number;
}

export function addToBucket<T>(
  bucket: Bucket<T> | null,
  entry: Entry<T>,
  depth: number,
  edit: EditToken,
): Bucket<T> {
  // A literal of one element: an array that grows from nothing takes room for many.
  if (bucket === null) return { owner: edit, depth, list: [entry], groups: null, arena: null, place: 0 };
  const mine = ownBucket(bucket, edit);
  const split = entry.splits[depth];
  if (split !== undefined && mine.groups === null && mine.list.length >= LONG) splitBucket(mine, edit);
  if (split !== undefined && mine.groups !== null) addToGroup(mine, entry, split, edit);
  else insert(mine.list, entry);
  return mine;
}

/** Null when nothing is left. */
export function removeFromBucket<T>(
  bucket: Bucket<T> | null,
  entry: Entry<T>,
  edit: EditToken,
): Bucket<T> | null {
  if (bucket === null) return null;
  const mine = ownBucket(bucket, edit);
  const split = entry.splits[mine.depth];
  if (split !== undefined && mine.groups !== null) removeFromGroup(mine, entry, split, edit);
  else {
    const index = mine.list.indexOf(entry);
    if (index !== -1) mine.list.splice(index, 1);
  }
  return mine.list.length === 0 && mine.groups === null ? null : mine;
}

function ownBucket<T>(bucket: Bucket<T>, edit: EditToken): Bucket<T> {
  if (bucket.owner === edit) return bucket;
  const { depth, list, groups } = bucket;
  return {
    owner: edit,
    depth,
    list: list.slice(),
    groups: groups === null ? null : groups.slice(),
    arena: null,
    place: 0,
  };
}

function splitBucket<T>(bucket: Bucket<T>, edit: EditToken): void {
  const entries = bucket.list.splice(0);
  bucket.groups = [];
  for (const entry of entries) {
    const split = entry.splits[bucket.depth];
    if (split === undefined) bucket.list.push(entry);
    else addToGroup(bucket, entry, split, edit);
  }
  if (bucket.groups.length === 0) bucket.groups = null;
}

function addToGroup<T>(bucket: Bucket<T>, entry: Entry<T>, split: Split, edit: EditToken): void {
  const root = groupRoot(bucket, split.name, edit);
  for (const value of split.values) {
    const node = place(root, [value], edit);
    node.value = addToBucket(node.value, entry, bucket.depth + 1, edit);
  }
}

function removeFromGroup<T>(bucket: Bucket<T>, entry: Entry<T>, split: Split, edit: EditToken): void {
  const root = groupRoot(bucket, split.name, edit);
  for (const value of split.values) {
    if (find(root, [value]) === null) continue;
    replaceValue(root, [value], edit, (below) => removeFromBucket(below, entry, edit));
  }
  if (!root.isEmpty()) return;
  bucket.groups = bucket.groups?.filter((group) => group.root !== root) ?? null;
  if (bucket.groups?.length === 0) bucket.groups = null;
}

/** The group of that name, made when missing, owned by the edit. */
function groupRoot<T>(bucket: Bucket<T>, name: string, edit: EditToken): TrieNode<Bucket<T>> {
  const groups = (bucket.groups ??= []);
  const index = groups.findIndex((group) => group.name === name);
  const old = groups[index];
  const root = old === undefined ? new TrieNode<Bucket<T>>(edit, '') : own(old.root, edit);
  if (old === undefined) groups.push({ name, root });
  else groups[index] = { name, root };
  return root;
}

function insert<T>(list: Array<Entry<T>>, entry: Entry<T>): void {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = list[middle];
    if (other !== undefined && outranks(other, entry)) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, entry);
}
