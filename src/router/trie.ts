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

/** Up to this many children are told apart by their first bytes packed in one integer; more have a range of slots. */
const PACKED = 4;

/**
 * What a walk costs is memory that it touches first, so a node says all of itself in one object: an only child is a
 * field, and few or many children one array.
 */
export class TrieNode<V> {
  /** Text between the parent and this node; empty for roots and behind parameter edges. */
  label: string;
  /** First byte of the label. */
  first: number;
  value: V | null = null;
  only: TrieNode<V> | null = null;
  params: Array<ParamEdge<V>> | null = null;
  /** Two or more children: in any order, or by first byte less `base`. */
  kids: Array<TrieNode<V> | null> | null = null;
  /** Byte of slot 0, or -1: the children are in the order of `packed`. */
  base = -1;
  packed = 0;
  owner: EditToken;

  constructor(owner: EditToken, label: string) {
    this.owner = owner;
    this.label = flat(label);
    this.first = label === '' ? -1 : label.charCodeAt(0);
  }

  /** The child whose label starts with the byte. */
  kid(byte: number): TrieNode<V> | null {
    const { only, kids, packed } = this;
    if (only !== null) return only.first === byte ? only : null;
    if (kids === null) return null;
    if (this.base >= 0) {
      const slot = byte - this.base;
      return slot >= 0 && slot < kids.length ? (kids[slot] ?? null) : null;
    }
    if ((packed & 0xff) === byte) return kids[0] ?? null;
    if (((packed >>> 8) & 0xff) === byte) return kids[1] ?? null;
    if (((packed >>> 16) & 0xff) === byte) return kids[2] ?? null;
    return packed >>> 24 === byte ? (kids[3] ?? null) : null;
  }

  isEmpty(): boolean {
    return this.value === null && this.only === null && this.kids === null && this.params === null;
  }

  /** All children, in any order. */
  children(): Array<TrieNode<V>> {
    if (this.only !== null) return [this.only];
    return this.kids === null ? [] : this.kids.filter((kid) => kid !== null);
  }

  setChildren(children: Array<TrieNode<V>>): void {
    this.only = null;
    this.kids = null;
    this.base = -1;
    this.packed = 0;
    if (children.length <= 1) {
      this.only = children[0] ?? null;
    } else if (children.length <= PACKED) {
      this.kids = children;
      for (const [i, kid] of children.entries()) this.packed |= kid.first << (8 * i);
    } else {
      this.base = Math.min(...children.map((kid) => kid.first));
      const last = Math.max(...children.map((kid) => kid.first));
      this.kids = Array.from({ length: last - this.base + 1 }, () => null);
      for (const kid of children) this.kids[kid.first - this.base] = kid;
    }
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
  copy.only = node.only;
  copy.kids = node.kids === null ? null : node.kids.slice();
  copy.base = node.base;
  copy.packed = node.packed;
  copy.params = node.params === null ? null : node.params.slice();
  return copy;
}

/** @param node owned by the edit. */
function relabel<V>(node: TrieNode<V>, label: string): void {
  node.label = flat(label);
  node.first = label.charCodeAt(0);
}

/** Value of exactly that key. */
export function lookup<V>(root: TrieNode<V>, key: string): V | null {
  let node = root;
  let at = 0;
  while (at < key.length) {
    const kid = node.kid(key.charCodeAt(at));
    if (kid === null || !labelMatches(kid.label, key, at)) return null;
    at += kid.label.length;
    node = kid;
  }
  return node.value;
}

/** Whether all of the label stands in the key; its first char is known to. */
export function labelMatches(label: string, key: string, at: number): boolean {
  const length = label.length;
  if (at + length > key.length) return false;
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
  const { kids, base } = node;
  const slot = kid.first - base;
  if (kids !== null && base >= 0 && slot >= 0 && slot < kids.length) kids[slot] = kid;
  else node.setChildren([...node.children(), kid]);
}

function replaceKid<V>(node: TrieNode<V>, kid: TrieNode<V>): void {
  const { kids, base, packed } = node;
  if (kids === null) {
    node.only = kid;
    return;
  }
  // By the packed bytes: the old child may have lost its first byte to `kid` just now.
  let slot = kid.first - base;
  if (base < 0) for (slot = 0; ((packed >>> (8 * slot)) & 0xff) !== kid.first; slot++);
  kids[slot] = kid;
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
        if (kid === null || !labelMatches(kid.label, step, at)) return null;
        at += kid.label.length;
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
    at += next.label.length;
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
  const { only } = node;
  if (only !== null && node.value === null && node.params === null && node.label !== '') {
    const joined = own(only, edit);
    relabel(joined, node.label + only.label);
    replaceKid(parent, joined);
  }
  return false;
}
