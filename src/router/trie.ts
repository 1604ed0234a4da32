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

/** With more children than this a node has a table by byte. */
const WIDE = 6;

export class TrieNode<V> {
  owner: EditToken;
  /** Text between the parent and this node; empty for roots and behind parameter edges. */
  label: string;
  value: V | null = null;
  /** First chars of the children's labels, in the order of `kids`. */
  firsts = '';
  kids: Array<TrieNode<V>> | null = null;
  /** Index in `kids` plus one by first byte. */
  table: Uint16Array | null = null;
  params: Array<ParamEdge<V>> | null = null;

  constructor(owner: EditToken, label: string) {
    this.owner = owner;
    this.label = label;
  }

  /** The child whose label starts with the byte. */
  kid(byte: number): TrieNode<V> | null {
    const kids = this.kids;
    if (kids === null) return null;
    if (this.table !== null) return byte > 0xff ? null : (kids[(this.table[byte] ?? 0) - 1] ?? null);
    const firsts = this.firsts;
    for (let i = 0; i < firsts.length; i++) if (firsts.charCodeAt(i) === byte) return kids[i] ?? null;
    return null;
  }

  isEmpty(): boolean {
    return this.value === null && this.kids === null && this.params === null;
  }
}

/** The node itself when the edit owns it, else a copy that it owns. */
export function own<V>(node: TrieNode<V>, edit: EditToken): TrieNode<V> {
  if (node.owner === edit) return node;
  const copy = new TrieNode<V>(edit, node.label);
  copy.value = node.value;
  copy.firsts = node.firsts;
  copy.kids = node.kids === null ? null : node.kids.slice();
  copy.table = node.table === null ? null : node.table.slice();
  copy.params = node.params === null ? null : node.params.slice();
  return copy;
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
  lower.label = lower.label.slice(length);
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
  node.kids ??= [];
  node.kids.push(kid);
  node.firsts += kid.label.charAt(0);
  if (node.table !== null) node.table[kid.label.charCodeAt(0)] = node.kids.length;
  else if (node.kids.length > WIDE) node.table = tableOf(node.firsts);
}

function tableOf(firsts: string): Uint16Array {
  const table = new Uint16Array(256);
  for (let i = 0; i < firsts.length; i++) table[firsts.charCodeAt(i)] = i + 1;
  return table;
}

function replaceKid<V>(node: TrieNode<V>, kid: TrieNode<V>): void {
  const { kids } = node;
  if (kids !== null) kids[node.firsts.indexOf(kid.label.charAt(0))] = kid;
}

function removeKid<V>(node: TrieNode<V>, kid: TrieNode<V>): void {
  const index = node.firsts.indexOf(kid.label.charAt(0));
  if (node.kids === null || index === -1) return;
  node.kids.splice(index, 1);
  node.firsts = node.firsts.slice(0, index) + node.firsts.slice(index + 1);
  if (node.kids.length === 0) node.kids = null;
  node.table = node.kids !== null && node.kids.length > WIDE ? tableOf(node.firsts) : null;
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
  const only = node.kids?.length === 1 ? node.kids[0] : undefined;
  if (only !== undefined && node.value === null && node.params === null && node.label !== '') {
    const joined = own(only, edit);
    joined.label = node.label + only.label;
    replaceKid(parent, joined);
  }
  return false;
}
