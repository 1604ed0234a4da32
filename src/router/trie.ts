/**
 * A persistent radix tree over strings of one char per byte, for host names, paths, methods and header values.
 *
 * Copy on write by edit token: a node whose `owner` is the running edit is changed in place, any other is copied
 * first, from the root down. So an edit costs the nodes on one path, a bulk build copies nothing, and whoever holds
 * an older root sees it unchanged. Everything here is iterative: the depth of a tree is up to the configuration.
 *
 * A node may also have parameter edges (`params`): they take the rest of a path segment, see `regex/template.ts`.
 */
import type { SegmentClass } from './regex/template.ts';

/** Identity of a running edit. */
export type EditToken = object;

export interface ParamEdge<V> {
  readonly segment: SegmentClass;
  readonly node: TrieNode<V>;
}

export type Step = string | SegmentClass;

/** Up to this many children are fields of the node; more have a range of slots. */
const INLINE = 4;

/** Few children are fields of the node, told apart by their first bytes packed in one integer, which saves an array. */
export class TrieNode<V> {
  /** First bytes of the children `a` to `d`. */
  packed = 0;
  a: TrieNode<V> | null = null;
  b: TrieNode<V> | null = null;
  c: TrieNode<V> | null = null;
  d: TrieNode<V> | null = null;
  value: V | null = null;
  params: Array<ParamEdge<V>> | null = null;
  /** Length of the label. */
  length: number;
  /** Text between the parent and this node; empty for roots and behind parameter edges. */
  label: string;
  /** More children than `INLINE`: by first byte less `base`. */
  slots: Array<TrieNode<V> | null> | null = null;
  base = 0;
  /** Where the last arena has this node, see `freeze.ts`; a node that an edit owns has no place yet. */
  arena: object | null = null;
  place = 0;
  owner: EditToken;

  constructor(owner: EditToken, label: string) {
    this.owner = owner;
    this.label = flat(label);
    this.length = label.length;
  }

  /** First byte of the label. */
  get first(): number {
    return this.label.charCodeAt(0);
  }

  /** The child whose label starts with the byte. */
  kid(byte: number): TrieNode<V> | null {
    const { packed, slots } = this;
    if (slots !== null) {
      const slot = byte - this.base;
      return slot >= 0 && slot < slots.length ? (slots[slot] ?? null) : null;
    }
    // An unused place has byte 0 and no child.
    if ((packed & 0xff) === byte) return this.a;
    if (((packed >>> 8) & 0xff) === byte) return this.b;
    if (((packed >>> 16) & 0xff) === byte) return this.c;
    return packed >>> 24 === byte ? this.d : null;
  }

  isEmpty(): boolean {
    return this.value === null && this.a === null && this.slots === null && this.params === null;
  }

  /** The only child, or null. */
  only(): TrieNode<V> | null {
    return this.b === null ? this.a : null;
  }

  /** All children, in any order. */
  children(): Array<TrieNode<V>> {
    return [this.a, this.b, this.c, this.d, ...(this.slots ?? [])].filter((kid) => kid !== null);
  }

  setChildren(children: ReadonlyArray<TrieNode<V>>): void {
    const inline = children.length <= INLINE ? children : [];
    this.a = inline[0] ?? null;
    this.b = inline[1] ?? null;
    this.c = inline[2] ?? null;
    this.d = inline[3] ?? null;
    this.packed = inline.reduce((packed, kid, i) => packed | (kid.first << (8 * i)), 0);
    this.slots = null;
    this.base = 0;
    if (children.length <= INLINE) return;
    const bytes = children.map((kid) => kid.first);
    this.base = Math.min(...bytes);
    this.slots = Array.from({ length: Math.max(...bytes) - this.base + 1 }, () => null);
    for (const kid of children) this.slots[kid.first - this.base] = kid;
  }
}

/** Slices of long strings point into the string that they were cut from; a label is one piece of memory. */
function flat(label: string): string {
  return label.length < 13 ? label : Buffer.from(label, 'latin1').toString('latin1');
}

/** The node itself when the edit owns it, else a copy that it owns. */
export function own<V>(node: TrieNode<V>, edit: EditToken): TrieNode<V> {
  if (node.owner === edit) return node;
  const copy = new TrieNode<V>(edit, node.label);
  copy.value = node.value;
  copy.packed = node.packed;
  copy.a = node.a;
  copy.b = node.b;
  copy.c = node.c;
  copy.d = node.d;
  copy.slots = node.slots === null ? null : node.slots.slice();
  copy.base = node.base;
  copy.params = node.params === null ? null : node.params.slice();
  return copy;
}

/** @param node owned by the edit. */
function relabel<V>(node: TrieNode<V>, label: string): void {
  node.label = flat(label);
  node.length = label.length;
}

/** Value of exactly that key. */
export function lookup<V>(root: TrieNode<V>, key: string): V | null {
  let node = root;
  let at = 0;
  while (at < key.length) {
    const kid = node.kid(key.charCodeAt(at));
    if (kid === null || !labelMatches(kid, key, at)) return null;
    at += kid.length;
    node = kid;
  }
  return node.value;
}

/** Whether all of the node's label stands in the key; its first byte is known to. */
function labelMatches<V>(node: TrieNode<V>, key: string, at: number): boolean {
  const { length } = node;
  if (length === 1) return true;
  if (at + length > key.length) return false;
  const { label } = node;
  for (let i = 1; i < length; i++) if (label.charCodeAt(i) !== key.charCodeAt(at + i)) return false;
  return true;
}

/**
 * Owns the nodes from the root to the place of `steps`, makes what is missing, and answers the last.
 * @param root owned by the edit.
 */
export function place<V>(root: TrieNode<V>, steps: readonly Step[], edit: EditToken): TrieNode<V> {
  let node = root;
  for (const step of steps) {
    node = typeof step === 'string' ? placeText(node, step, edit) : placeParam(node, step, edit);
  }
  return node;
}

function placeText<V>(from: TrieNode<V>, text: string, edit: EditToken): TrieNode<V> {
  let node = from;
  let at = 0;
  while (at < text.length) {
    const kid = node.kid(text.charCodeAt(at));
    if (kid === null) {
      const leaf = new TrieNode<V>(edit, text.slice(at));
      addKid(node, leaf);
      return leaf;
    }
    const common = commonLength(kid.label, text, at);
    const next = common === kid.label.length ? own(kid, edit) : split(kid, common, edit);
    replaceKid(node, next);
    node = next;
    at += common;
  }
  return node;
}

function commonLength(label: string, text: string, at: number): number {
  let i = 1;
  while (i < label.length && at + i < text.length && label.charCodeAt(i) === text.charCodeAt(at + i)) i++;
  return i;
}

/** A new node for the first `length` chars of the label, with what is left below it. */
function split<V>(node: TrieNode<V>, length: number, edit: EditToken): TrieNode<V> {
  const upper = new TrieNode<V>(edit, node.label.slice(0, length));
  const lower = own(node, edit);
  relabel(lower, lower.label.slice(length));
  addKid(upper, lower);
  return upper;
}

function placeParam<V>(node: TrieNode<V>, segment: SegmentClass, edit: EditToken): TrieNode<V> {
  node.params ??= [];
  const index = node.params.findIndex((edge) => edge.segment.key === segment.key);
  const old = node.params[index];
  const next = old === undefined ? new TrieNode<V>(edit, '') : own(old.node, edit);
  if (old === undefined) node.params.push({ segment, node: next });
  else node.params[index] = { segment, node: next };
  return next;
}

function addKid<V>(node: TrieNode<V>, kid: TrieNode<V>): void {
  const { slots } = node;
  const slot = kid.first - node.base;
  if (slots !== null && slot >= 0 && slot < slots.length) slots[slot] = kid;
  else node.setChildren([...node.children(), kid]);
}

/** Puts `kid` in the place of the child that had its first byte; that one may have lost it to `kid` just now. */
function replaceKid<V>(node: TrieNode<V>, kid: TrieNode<V>): void {
  const byte = kid.first;
  const { packed, slots } = node;
  if (slots !== null) slots[byte - node.base] = kid;
  else if ((packed & 0xff) === byte) node.a = kid;
  else if (((packed >>> 8) & 0xff) === byte) node.b = kid;
  else if (((packed >>> 16) & 0xff) === byte) node.c = kid;
  else node.d = kid;
}

function removeKid<V>(node: TrieNode<V>, kid: TrieNode<V>): void {
  node.setChildren(node.children().filter((other) => other.first !== kid.first));
}

/** Whether the tree has a node at exactly that place. */
export function find<V>(root: TrieNode<V>, steps: readonly Step[]): TrieNode<V> | null {
  let node: TrieNode<V> | null = root;
  for (const step of steps) {
    if (typeof step === 'string') {
      let at = 0;
      while (node !== null && at < step.length) {
        const kid: TrieNode<V> | null = node.kid(step.charCodeAt(at));
        if (kid === null || !labelMatches(kid, step, at)) return null;
        at += kid.length;
        node = kid;
      }
    } else {
      node = node?.params?.find((edge) => edge.segment.key === step.key)?.node ?? null;
    }
    if (node === null) return null;
  }
  return node;
}

/**
 * Replaces the value at a place that exists; null takes it out, and with it the nodes that then lead nowhere.
 * @param root owned by the edit.
 */
export function replaceValue<V>(
  root: TrieNode<V>,
  steps: readonly Step[],
  edit: EditToken,
  replace: (value: V | null) => V | null,
): void {
  const trail: Array<TrieNode<V>> = [root];
  for (const step of steps) {
    if (typeof step === 'string') ownText(trail, step, edit);
    else trail.push(placeParam(trail.at(-1) ?? root, step, edit));
  }
  const last = trail.at(-1) ?? root;
  last.value = replace(last.value);
  for (let i = trail.length - 1; i > 0; i--) {
    const node = trail[i] ?? root;
    const parent = trail[i - 1] ?? root;
    if (!prune(parent, node, edit)) break;
  }
}

function ownText<V>(trail: Array<TrieNode<V>>, text: string, edit: EditToken): void {
  let at = 0;
  while (at < text.length) {
    const node = trail.at(-1);
    const kid = node?.kid(text.charCodeAt(at));
    if (node === undefined || kid === null || kid === undefined) return;
    const next = own(kid, edit);
    replaceKid(node, next);
    trail.push(next);
    at += next.length;
  }
}

/** Takes out a node that leads nowhere, or joins it with its only child. True: the parent may have to follow. */
function prune<V>(parent: TrieNode<V>, node: TrieNode<V>, edit: EditToken): boolean {
  if (node.isEmpty()) {
    if (node.label !== '') removeKid(parent, node);
    else if (parent.params !== null) {
      parent.params = parent.params.filter((edge) => edge.node !== node);
      if (parent.params.length === 0) parent.params = null;
    }
    return true;
  }
  const only = node.only();
  if (only !== null && node.value === null && node.params === null && node.label !== '') {
    const joined = own(only, edit);
    relabel(joined, node.label + only.label);
    replaceKid(parent, joined);
  }
  return false;
}
