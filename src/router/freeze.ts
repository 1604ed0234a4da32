/**
 * The index as objects → its records in an arena; see `arena.ts` for their form.
 *
 * A node knows its place in the arena that it was last written to. No node changes once its edit is committed, so only
 * those that the edit made or copied are written, children before parents, and the rest is found where it is. Trees
 * are walked with a list of one's own: their depth is up to the configuration.
 *
 * A hundred thousand routes take some 200 ms to write, so it is done in steps: each function that walks a tree stops
 * after a few nodes, for the caller to let the event loop turn or to go on at once.
 */
import { finish, type Steps } from '../lib/steps.ts';
import {
  Arena,
  BASE_SHIFT,
  CANDIDATE_WORDS,
  EDGE_WORDS,
  FEW,
  HAS_CONDITIONS,
  HAS_REGEX,
  LIST_HEAD,
  MUST_END,
  NODE_WORDS,
  PROVEN,
  RANGE,
} from './arena.ts';
import type { Bucket } from './bucket.ts';
import type { Entry } from './entry.ts';
import type { HostIndex, PathIndex } from './host-index.ts';
import type { SegmentClass } from './regex/template.ts';
import type { TrieNode } from './trie.ts';

/** The top of the index; places of trees. */
export interface FrozenIndex<T> {
  readonly arena: Arena<T>;
  readonly strict: boolean;
  readonly exact: number;
  readonly suffix: number;
  readonly prefix: number;
  readonly any: number;
  readonly anyHigh: number;
}

/** Nodes that are written in one step. */
const STEP = 16;

type FreezeValue<T, V> = (arena: Arena<T>, value: V) => Steps<number> | number;

/** Anything of the index that has a record. */
interface Freezable {
  arena: object | null;
  place: number;
}

/** All of the index into a new arena. */
export function* freezeAnew<T>(index: HostIndex<T>): Steps<FrozenIndex<T>> {
  const arena = new Arena<T>();
  const frozen = yield* freezeIndex(arena, index);
  arena.settle();
  return frozen;
}

/** What the arena does not have yet of the index; all of it into a new one when too much of this is garbage. */
export function refreeze<T>(arena: Arena<T>, index: HostIndex<T>): Steps<FrozenIndex<T>> {
  return arena.isWasteful() ? freezeAnew(index) : freezeIndex(arena, index);
}

function* freezeIndex<T>(arena: Arena<T>, index: HostIndex<T>): Steps<FrozenIndex<T>> {
  return {
    arena,
    strict: index.strict,
    exact: yield* freezeTree(arena, index.exact, freezeHost),
    suffix: yield* freezeTree(arena, index.suffix, freezeHost),
    prefix: yield* freezeTree(arena, index.prefix, freezeHost),
    any: yield* freezeTree(arena, index.any, freezeBucket),
    anyHigh: index.anyHigh,
  };
}

function* freezeTree<T, V>(
  arena: Arena<T>,
  root: TrieNode<V> | null,
  freezeValue: FreezeValue<T, V>,
): Steps<number> {
  if (root === null) return 0;
  if (root.arena === arena) return root.place;
  const open: Array<TrieNode<V>> = [root];
  let written = 0;
  for (let node = open.at(-1); node !== undefined; node = open.at(-1)) {
    const before = open.length;
    const kids = node.children();
    for (const kid of kids) if (kid.arena !== arena) open.push(kid);
    for (const edge of node.params ?? []) if (edge.node.arena !== arena) open.push(edge.node);
    if (open.length > before) continue;
    open.pop();
    const steps = node.value === null ? 0 : freezeValue(arena, node.value);
    const value = typeof steps === 'number' ? steps : yield* steps;
    remember(node, arena, writeNode(arena, node, kids, value));
    if (++written % STEP === 0) yield;
  }
  return root.place;
}

function remember(made: Freezable, arena: object, place: number): number {
  made.arena = arena;
  made.place = place;
  return place;
}

function writeNode<T, V>(
  arena: Arena<T>,
  { label, length, params }: TrieNode<V>,
  kids: ReadonlyArray<TrieNode<V>>,
  value: number,
): number {
  const labelWords = wordsFor(length);
  const isRange = kids.length > FEW;
  const base = isRange ? kids.reduce((least, kid) => Math.min(least, kid.first), 0xff) : 0;
  const width = isRange ? kids.reduce((most, kid) => Math.max(most, kid.first), 0) - base + 1 : kids.length;
  const kidWords = isRange ? width : wordsFor(width) + width;
  const edges = params?.length ?? 0;
  const at = arena.allocate(NODE_WORDS + labelWords + kidWords + edges * EDGE_WORDS);
  const { words, bytes } = arena;
  words[at] = length;
  words[at + 1] = width | (base << BASE_SHIFT) | (isRange ? RANGE : 0);
  words[at + 2] = value;
  words[at + 3] = edges;
  const text = at + NODE_WORDS;
  for (let i = 0; i < length; i++) bytes[text * 4 + i] = label.charCodeAt(i);
  const kidsAt = text + labelWords;
  for (const [i, kid] of kids.entries()) {
    if (!isRange) bytes[kidsAt * 4 + i] = kid.first;
    words[isRange ? kidsAt + kid.first - base : kidsAt + wordsFor(width) + i] = kid.place;
  }
  for (let i = 0; i < edges; i++) {
    const edge = params?.[i];
    if (edge !== undefined)
      writeEdge(words, kidsAt + kidWords + i * EDGE_WORDS, edge.segment, edge.node.place);
  }
  return at;
}

export function wordsFor(bytes: number): number {
  return (bytes + 3) >>> 2;
}

function writeEdge(words: Int32Array, at: number, segment: SegmentClass, node: number): void {
  words[at] = node;
  // No path is that long.
  words[at + 1] = Math.min(segment.min, 0x7fff_ffff);
  words[at + 2] = Math.min(segment.max, 0x7fff_ffff);
  if (segment.members === null) return;
  words[at + 3] = 1;
  for (const [byte, isMember] of segment.members.subarray(0, 128).entries()) {
    const word = at + 4 + (byte >>> 5);
    if (isMember === 1) words[word] = (words[word] ?? 0) | (1 << (byte & 31));
  }
}

function* freezeHost<T>(arena: Arena<T>, host: PathIndex<T>): Steps<number> {
  if (host.arena === arena) return host.place;
  const list = [yield* freezeTree(arena, host.any, freezeBucket), host.ports?.size ?? 0];
  for (const [port, tree] of host.ports ?? []) list.push(port, yield* freezeTree(arena, tree, freezeBucket));
  return remember(host, arena, writeList(arena, list));
}

function writeList<T>(arena: Arena<T>, list: readonly number[]): number {
  const at = arena.allocate(list.length);
  arena.words.set(list, at);
  return at;
}

function freezeBucket<T>(arena: Arena<T>, bucket: Bucket<T>): number {
  if (bucket.arena === arena) return bucket.place;
  const { list } = bucket;
  const groups = freezeGroups(arena, bucket);
  const at = arena.allocate(LIST_HEAD + list.length * CANDIDATE_WORDS);
  const { words } = arena;
  words[at] = list.length;
  words[at + 1] = groups;
  for (const [i, entry] of list.entries()) {
    const candidate = at + LIST_HEAD + i * CANDIDATE_WORDS;
    words[candidate] = entry.high;
    words[candidate + 1] = entry.middle;
    words[candidate + 2] = entry.low;
    words[candidate + 3] = entry.methodBits | flagsOf(entry);
    words[candidate + 4] = arena.entries.push(entry) - 1;
  }
  return remember(bucket, arena, at);
}

function flagsOf(entry: Entry<unknown>): number {
  return (
    (entry.mustEnd ? MUST_END : 0) |
    (entry.regex === null ? 0 : HAS_REGEX) |
    (entry.proven ? PROVEN : 0) |
    (entry.conditions === null ? 0 : HAS_CONDITIONS)
  );
}

function freezeGroups<T>(arena: Arena<T>, { groups }: Bucket<T>): number {
  if (groups === null) return 0;
  const list = [groups.length];
  for (const { name, root } of groups) {
    list.push(
      name === '' ? -1 : arena.names.push(name) - 1,
      // A split list is small beside the tree that it stands in.
      finish(freezeTree<T, Bucket<T>>(arena, root, freezeBucket)),
    );
  }
  return writeList(arena, list);
}
