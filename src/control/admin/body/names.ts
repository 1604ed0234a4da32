/**
 * Kong's names of form fields → nested values: `a.b=1`, `a[]=1` (appends), `a[2]=1`, `a[key]=1`, and a name that is
 * repeated is a list. Names go into maps and properties are defined, so `__proto__` is a name as any other.
 */
import type { Argument } from './form.ts';

/** A key, a position from 1, or null: at the end. */
type Segment = string | number | null;

/** Deeper names are no paths; such a name is a field that nobody knows. */
const MAX_SEGMENTS = 32;

class Tree {
  readonly leaves: Array<Argument[1]> = [];
  readonly #keys = new Map<string, Tree>();
  readonly #items = new Map<number, Tree>();
  /** `a[]` was said: a list, even of one. */
  appended = false;

  child(segment: Segment): Tree {
    if (typeof segment === 'string') return childOf(this.#keys, segment);
    return childOf(this.#items, segment ?? 1);
  }

  value(): unknown {
    const items = [...this.#items].sort(([a], [b]) => a - b).map(([, item]) => item.value());
    const list: readonly unknown[] = [...this.leaves, ...items];
    if (this.#keys.size > 0) {
      const more = list.map((one, i): [string, unknown] => [String(i + 1), one]);
      return Object.fromEntries([...this.entries(), ...more]);
    }
    return this.#items.size === 0 && !this.appended && list.length === 1 ? list[0] : list;
  }

  entries(): Array<[string, unknown]> {
    return [...this.#keys].map(([key, child]) => [key, child.value()]);
  }
}

function childOf<K>(children: Map<K, Tree>, key: K): Tree {
  let child = children.get(key);
  if (child === undefined) children.set(key, (child = new Tree()));
  return child;
}

export function nest(list: readonly Argument[]): Record<string, unknown> {
  const root = new Tree();
  for (const [name, leaf] of list) {
    const path = pathOf(name);
    let tree = root;
    for (const [i, segment] of path.entries()) {
      if (segment === null && i === path.length - 1) tree.appended = true;
      else tree = tree.child(segment);
    }
    tree.leaves.push(leaf);
  }
  return Object.fromEntries(root.entries());
}

function pathOf(name: string): readonly Segment[] {
  if (/^\.|\.$/.test(name)) return [name];
  const path = pieces(name.replaceAll(/%5B/gi, '[').replaceAll(/%5D/gi, ']')).flatMap(segmentsOf);
  return path.length > MAX_SEGMENTS ? [name] : path;
}

/** Cuts at dots that stand outside of brackets. */
function pieces(name: string): string[] {
  const found: string[] = [];
  let start = 0;
  for (let i = 0; i < name.length; i++) {
    if (name[i] === '[' && i > start) {
      const end = name.indexOf(']', i);
      if (end > 0) i = end;
    } else if (name[i] === '.') {
      if (i > start) found.push(name.slice(start, i));
      start = i + 1;
    }
  }
  if (start < name.length) found.push(name.slice(start));
  return found;
}

/** `a[1][key]` → a, 1, key. */
function segmentsOf(piece: string): Segment[] {
  const bracket = piece.indexOf('[', 1);
  if (bracket < 0) return [piece];
  const inside = [...piece.slice(bracket).matchAll(/\[([^\]]*)\]/g)].map(([, text = '']): Segment => {
    if (text === '') return null;
    return /^\d{1,9}$/.test(text) ? Number(text) : text;
  });
  return inside.length === 0 ? [piece] : [piece.slice(0, bracket), ...inside];
}
