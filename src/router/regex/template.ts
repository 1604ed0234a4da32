/**
 * What a path regex says about the path before any regex engine runs.
 *
 * An anchored pattern is read as a template: literal text and segments with something variable in them. The router
 * puts templates into its tree of paths. Variable means any piece that cannot match a slash; the step that stands for
 * it takes the rest of the segment, so a walk never has to try where a piece ends. Where the walk alone proves the
 * match (each variable piece is one repeated class that fills its segment), no regex runs at all.
 *
 * All this is about ASCII paths. Of other paths a template is only a filter.
 */
import type { RegexNode, RepeatNode, SetNode } from './ast.ts';

/** A variable segment: its characters and how many. */
export interface SegmentClass {
  /** Equal classes have equal keys. */
  readonly key: string;
  /** 1 for each ASCII member; null: all but the slash. */
  readonly members: Uint8Array | null;
  readonly min: number;
  readonly max: number;
}

export interface PathTemplate {
  /** Literal text, one char per byte, and the variable rest of a segment. */
  readonly steps: ReadonlyArray<string | SegmentClass>;
  /** The path ends where the template does. */
  readonly mustEnd: boolean;
  /** Every ASCII path that the walk accepts matches, and the match ends where the walk did. */
  readonly proven: boolean;
  /** Text that any match contains behind what the steps cover, '' when unknown. */
  readonly needle: string;
}

const SLASH = 0x2f;
/** A longer template is a filter of this many steps: the router's walk recurses once for each variable one. */
const MAX_STEPS = 128;
const ANY_SEGMENT: SegmentClass = { key: '*', members: null, min: 0, max: Infinity };
const NOTHING: PathTemplate = { steps: [], mustEnd: false, proven: false, needle: '' };

/** @param root pattern that starts with `^`; others say nothing. */
export function pathTemplate(root: RegexNode): PathTemplate {
  const items = flatten(root);
  const first = items[0];
  if (first?.type !== 'assert' || first.kind !== 'start')
    return { ...NOTHING, needle: longestLiteral(items) };
  const builder = new TemplateBuilder(items);
  return builder.build();
}

/** The sequence at the top with its groups opened. */
function flatten(node: RegexNode): RegexNode[] {
  if (node.type === 'cat') return node.items.flatMap(flatten);
  if (node.type === 'group') return flatten(node.item);
  return [node];
}

class TemplateBuilder {
  readonly #items: readonly RegexNode[];
  /** Item 0 is the anchor. */
  #at = 1;
  readonly #steps: Array<string | SegmentClass> = [];
  #literal = '';
  #proven = true;
  #mustEnd = false;
  #needle = '';

  constructor(items: readonly RegexNode[]) {
    this.#items = items;
  }

  build(): PathTemplate {
    while (this.#take());
    this.#flush();
    this.#search(this.#items.slice(this.#at));
    const proven = this.#proven && this.#at === this.#items.length;
    return { steps: this.#steps, mustEnd: this.#mustEnd, proven, needle: this.#needle };
  }

  /** Reads one step; false when the template ends here. */
  #take(): boolean {
    const item = this.#items[this.#at];
    if (item === undefined || this.#steps.length >= MAX_STEPS) return false;
    if (item.type === 'assert') {
      if (item.kind !== 'end' || this.#at + 1 !== this.#items.length) return false;
      this.#mustEnd = true;
      this.#at++;
      return true;
    }
    if (item.type === 'set' && item.literal >= 0) {
      this.#literal += utf8(item.literal);
      this.#at++;
      return true;
    }
    return withoutSlash(item) && this.#takeSegment(item);
  }

  #takeSegment(item: RegexNode): boolean {
    this.#flush();
    const exact = segmentClass(item, this.#items[this.#at + 1], this.#at + 1 === this.#items.length);
    if (exact !== null) {
      this.#steps.push(exact);
      this.#at++;
      return true;
    }
    this.#proven = false;
    this.#steps.push(ANY_SEGMENT);
    const from = this.#at;
    // The step takes the rest of the segment: go on behind it.
    let next = this.#items[++this.#at];
    while (next !== undefined && !isSlash(next) && withoutSlash(next)) next = this.#items[++this.#at];
    this.#search(this.#items.slice(from, this.#at));
    return next !== undefined && (isSlash(next) || next.type === 'assert');
  }

  #search(items: readonly RegexNode[]): void {
    const literal = longestLiteral(items);
    if (literal.length > this.#needle.length) this.#needle = literal;
  }

  #flush(): void {
    if (this.#literal !== '') this.#steps.push(this.#literal);
    this.#literal = '';
  }
}

function isSlash(node: RegexNode): boolean {
  return node.type === 'set' && node.literal === SLASH;
}

/** Nothing that the node matches contains a slash, and it looks at nothing else. */
function withoutSlash(node: RegexNode): boolean {
  switch (node.type) {
    case 'set':
      return node.ascii[SLASH] !== 1;
    case 'assert':
      return false;
    case 'group':
    case 'repeat':
      return withoutSlash(node.item);
    case 'cat':
    case 'alt':
      return node.items.every(withoutSlash);
    default:
      return node satisfies never;
  }
}

/** The class that fills the segment whatever the path, or null. */
function segmentClass(item: RegexNode, next: RegexNode | undefined, isLast: boolean): SegmentClass | null {
  const repeated = repeatedSet(item);
  if (repeated === null) return null;
  const { set, min, max, greedy } = repeated;
  const bounded = next !== undefined && (isSlash(next) || (next.type === 'assert' && next.kind === 'end'));
  const all = isAllButSlash(set);
  if (!bounded && !(isLast && greedy && all && max === Infinity)) return null;
  const members = all ? null : set.ascii;
  const spelled = members === null ? '*' : Buffer.from(members).toString('latin1');
  return { key: `${spelled}{${min},${max}}`, members, min, max };
}

function repeatedSet(
  item: RegexNode,
): (Pick<RepeatNode, 'min' | 'max' | 'greedy'> & { set: SetNode }) | null {
  if (item.type === 'set') return { set: item, min: 1, max: 1, greedy: true };
  if (item.type !== 'repeat') return null;
  const inner = item.item.type === 'group' ? item.item.item : item.item;
  if (inner.type !== 'set') return null;
  return { set: inner, min: item.min, max: item.max, greedy: item.greedy };
}

function isAllButSlash(set: SetNode): boolean {
  for (let i = 0; i < 128; i++) if ((set.ascii[i] === 1) === (i === SLASH)) return false;
  return true;
}

/** Longest run of ASCII literals among items that all must match. */
function longestLiteral(items: readonly RegexNode[]): string {
  let longest = '';
  let run = '';
  for (const item of items) {
    const code = item.type === 'set' ? item.literal : -1;
    run = code >= 0 && code < 128 ? run + String.fromCharCode(code) : '';
    if (run.length > longest.length) longest = run;
  }
  return longest;
}

function utf8(code: number): string {
  return code < 128 ? String.fromCharCode(code) : Buffer.from(String.fromCodePoint(code)).toString('latin1');
}
