/** The top of the index: hosts, each with a tree of paths. Copy on write by edit token, as the trie. */
import { addToBucket, type Bucket, removeFromBucket } from './bucket.ts';
import type { HostPattern } from './conditions.ts';
import type { CompiledRoute, Entry } from './entry.ts';
import { type EditToken, find, own, place, replaceValue, TrieNode } from './trie.ts';

export type PathTree<T> = TrieNode<Bucket<T>>;

/** The trees of paths of one host. */
export interface PathIndex<T> {
  readonly owner: EditToken;
  /** Whatever the port. */
  any: PathTree<T> | null;
  ports: Map<number, PathTree<T>> | null;
  /** Where the last arena has it, see `freeze.ts`. */
  arena: object | null;
  place: number;
}

export interface HostIndex<T> {
  readonly owner: EditToken;
  /** A wildcard stands for at least one char (the flavor `traditional`). */
  readonly strict: boolean;
  exact: TrieNode<PathIndex<T>> | null;
  /** `*.x`, written back to front. */
  suffix: TrieNode<PathIndex<T>> | null;
  prefix: TrieNode<PathIndex<T>> | null;
  /** Routes without hosts. */
  any: PathTree<T> | null;
  /** No entry under `any` has a higher `high`. */
  anyHigh: number;
}

export function emptyHostIndex<T>(owner: EditToken, strict: boolean): HostIndex<T> {
  return { owner, strict, exact: null, suffix: null, prefix: null, any: null, anyHigh: -1 };
}

export function ownHostIndex<T>(index: HostIndex<T>, edit: EditToken): HostIndex<T> {
  return index.owner === edit ? index : { ...index, owner: edit };
}

/** @param index owned by the edit; so below. */
export function addRoute<T>(index: HostIndex<T>, route: CompiledRoute<T>, edit: EditToken): void {
  if (route.hosts === null) {
    for (const entry of route.entries) {
      index.any = addEntry(index.any, entry, edit);
      index.anyHigh = Math.max(index.anyHigh, entry.high);
    }
    return;
  }
  for (const host of route.hosts) {
    const root = ownRoot(index[host.kind], edit);
    index[host.kind] = root;
    const node = place(root, [keyOf(host)], edit);
    const paths = ownPaths(node.value, edit);
    node.value = paths;
    for (const entry of route.entries) {
      const tree = addEntry(treeOf(paths, host.port), entry, edit);
      if (host.port === null) paths.any = tree;
      else (paths.ports ??= new Map()).set(host.port, tree);
    }
  }
}

export function removeRoute<T>(index: HostIndex<T>, route: CompiledRoute<T>, edit: EditToken): void {
  if (route.hosts === null) {
    for (const entry of route.entries) index.any = removeEntry(index.any, entry, edit);
    return;
  }
  for (const host of route.hosts) {
    const old = index[host.kind];
    if (old === null || find(old, [keyOf(host)]) === null) continue;
    const root = own(old, edit);
    replaceValue(root, [keyOf(host)], edit, (value) => removeFromHost(value, host.port, route.entries, edit));
    index[host.kind] = root.isEmpty() ? null : root;
  }
}

function removeFromHost<T>(
  value: PathIndex<T> | null,
  port: number | null,
  entries: ReadonlyArray<Entry<T>>,
  edit: EditToken,
): PathIndex<T> | null {
  if (value === null) return null;
  const paths = ownPaths(value, edit);
  let tree = treeOf(paths, port);
  for (const entry of entries) tree = removeEntry(tree, entry, edit);
  if (port === null) paths.any = tree;
  else if (tree === null) paths.ports?.delete(port);
  else paths.ports?.set(port, tree);
  if (paths.ports?.size === 0) paths.ports = null;
  return paths.any === null && paths.ports === null ? null : paths;
}

function keyOf(host: HostPattern): string {
  return host.kind === 'suffix' ? Array.from(host.text).toReversed().join('') : host.text;
}

function treeOf<T>(paths: PathIndex<T>, port: number | null): PathTree<T> | null {
  return port === null ? paths.any : (paths.ports?.get(port) ?? null);
}

function ownPaths<T>(paths: PathIndex<T> | null, edit: EditToken): PathIndex<T> {
  if (paths === null) return { owner: edit, any: null, ports: null, arena: null, place: 0 };
  if (paths.owner === edit) return paths;
  const ports = paths.ports === null ? null : new Map(paths.ports);
  return { owner: edit, any: paths.any, ports, arena: null, place: 0 };
}

function ownRoot<V>(root: TrieNode<V> | null, edit: EditToken): TrieNode<V> {
  return root === null ? new TrieNode<V>(edit, '') : own(root, edit);
}

function addEntry<T>(tree: PathTree<T> | null, entry: Entry<T>, edit: EditToken): PathTree<T> {
  const root = ownRoot(tree, edit);
  const node = place(root, entry.steps, edit);
  node.value = addToBucket(node.value, entry, 0, edit);
  return root;
}

function removeEntry<T>(tree: PathTree<T> | null, entry: Entry<T>, edit: EditToken): PathTree<T> | null {
  if (tree === null || find(tree, entry.steps) === null) return tree;
  const root = own(tree, edit);
  replaceValue(root, entry.steps, edit, (bucket) => removeFromBucket(bucket, entry, edit));
  return root.isEmpty() ? null : root;
}
