/**
 * The proof that a backtracking engine runs a pattern in linear time.
 *
 * Read from right to left, each node knows what may follow it. A choice (loop again or leave, this alternative or
 * that) is decided by the next character when the sets of first characters are disjoint: then a wrong turn fails at
 * once and nothing is tried twice. A choice is also harmless when all that follows it cannot fail. What is neither is
 * an ambiguous choice, and of those only two kinds pass, both outside of any loop: an alternative or optional part,
 * up to 16 ways in all; and a repetition, when all that follows costs a bounded number of steps. Everything else is
 * refused, also what is linear for subtler reasons.
 *
 * The other half of the proof is that both engines give the same groups: see `sameGroups`.
 */
import type { RegexNode } from './ast.ts';

/** Sets of first characters: bit c for ASCII c, bit 128 for the end of the input. */
const END = 1n << 128n;
const ANY = (1n << 129n) - 1n;

const MAX_WAYS = 16;
const MAX_TAIL_COST = 256;
/** Without an anchor the pattern is tried at each position. */
const MAX_UNANCHORED_COST = 64;

interface Tail {
  readonly first: bigint;
  /** It cannot fail. */
  readonly always: boolean;
  /** Most steps for one way through, without bound: Infinity. */
  readonly cost: number;
  /** Ways through that may all be tried. */
  readonly ways: number;
}

class NotLinear extends Error {}

export function isLinear(root: RegexNode): boolean {
  if (!sameGroups(root, false, false)) return false;
  try {
    const tail = before(root, { first: ANY, always: true, cost: 0, ways: 1 }, false);
    return startsAnchored(root) || tail.cost * tail.ways <= MAX_UNANCHORED_COST;
  } catch (error) {
    if (error instanceof NotLinear) return false;
    throw error;
  }
}

function startsAnchored(node: RegexNode): boolean {
  if (node.type === 'assert') return node.kind === 'start';
  if (node.type === 'cat') return node.items[0] !== undefined && startsAnchored(node.items[0]);
  if (node.type === 'group') return startsAnchored(node.item);
  return node.type === 'alt' && node.items.every(startsAnchored);
}

/** What stands before `tail` once `node` does. */
function before(node: RegexNode, tail: Tail, inLoop: boolean): Tail {
  switch (node.type) {
    case 'set':
      return { first: bits(node.ascii), always: false, cost: tail.cost + 1, ways: tail.ways };
    case 'assert':
      return { ...tail, first: node.kind === 'end' ? END : tail.first, always: false };
    case 'group':
      return before(node.item, tail, inLoop);
    case 'cat': {
      let rest = tail;
      for (const item of node.items.toReversed()) rest = before(item, rest, inLoop);
      return rest;
    }
    case 'alt':
      return choose(
        node.items.map((item) => before(item, tail, inLoop)),
        inLoop,
      );
    case 'repeat':
      return repeat(node, tail, inLoop);
    default:
      return node satisfies never;
  }
}

function choose(branches: readonly Tail[], inLoop: boolean): Tail {
  let first = 0n;
  let ambiguous = false;
  let certain = false;
  for (const branch of branches) {
    if ((first & branch.first) !== 0n && !certain) ambiguous = true;
    first |= branch.first;
    certain ||= branch.always;
  }
  if (ambiguous && inLoop) throw new NotLinear();
  const cost = branches.reduce(
    (sum, branch) => (ambiguous ? sum + branch.cost : Math.max(sum, branch.cost)),
    0,
  );
  const ways = Math.max(...branches.map((branch) => branch.ways)) * (ambiguous ? branches.length : 1);
  if (ways > MAX_WAYS) throw new NotLinear();
  return { first, always: certain, cost, ways };
}

function repeat(node: RegexNode & { type: 'repeat' }, tail: Tail, inLoop: boolean): Tail {
  if (node.max === 0) return tail;
  if (isNullable(node.item)) throw new NotLinear();
  if (node.max === 1) {
    const taken = before(node.item, tail, inLoop);
    if (node.min === 1) return taken;
    return tail.always ? leave(taken, tail) : choose([taken, tail], inLoop);
  }
  const fixed = node.min === node.max;
  const body = firstOf(node.item);
  // Inside the loop a wrong turn must fail before the next turn: that what follows cannot fail is no excuse there.
  const exit = tail.always && !fixed ? 0n : tail.first;
  const once = before(node.item, { first: body | exit, always: false, cost: 0, ways: 1 }, true);
  const ambiguous = !fixed && !tail.always && (body & tail.first) !== 0n;
  if (ambiguous) {
    const bounded = tail.cost * tail.ways <= MAX_TAIL_COST;
    if (inLoop || node.item.type !== 'set' || !bounded) throw new NotLinear();
  }
  const cost = ambiguous ? Infinity : tail.cost + once.cost * node.max;
  const first = node.min === 0 ? body | tail.first : body;
  return { first, always: node.min === 0 && tail.always, cost, ways: tail.ways };
}

/** An optional part before what cannot fail. */
function leave(taken: Tail, tail: Tail): Tail {
  return { first: ANY, always: true, cost: Math.max(taken.cost, tail.cost), ways: taken.ways };
}

function firstOf(node: RegexNode): bigint {
  switch (node.type) {
    case 'set':
      return bits(node.ascii);
    case 'assert':
      return 0n;
    case 'group':
    case 'repeat':
      return firstOf(node.item);
    case 'alt':
      return node.items.reduce((first, item) => first | firstOf(item), 0n);
    case 'cat': {
      let first = 0n;
      for (const item of node.items) {
        first |= firstOf(item);
        if (!isNullable(item)) break;
      }
      return first;
    }
    default:
      return node satisfies never;
  }
}

function isNullable(node: RegexNode): boolean {
  switch (node.type) {
    case 'set':
      return false;
    case 'assert':
      return true;
    case 'group':
      return isNullable(node.item);
    case 'repeat':
      return node.min === 0 || isNullable(node.item);
    case 'alt':
      return node.items.some(isNullable);
    case 'cat':
      return node.items.every(isNullable);
    default:
      return node satisfies never;
  }
}

/** JavaScript forgets a group at each turn of a loop, Rust keeps the last: so none may be optional inside a loop. */
function sameGroups(node: RegexNode, inLoop: boolean, optional: boolean): boolean {
  switch (node.type) {
    case 'group':
      return !(inLoop && optional) && sameGroups(node.item, inLoop, optional);
    case 'cat':
      return node.items.every((item) => sameGroups(item, inLoop, optional));
    case 'alt':
      return node.items.every((item) => sameGroups(item, inLoop, true));
    case 'repeat':
      return sameGroups(node.item, inLoop || node.max > 1, optional || (inLoop && node.min === 0));
    default:
      return true;
  }
}

function bits(ascii: Uint8Array): bigint {
  let low = 0n;
  for (let i = 0; i < 128; i += 32) {
    let word = 0;
    for (let j = 0; j < 32; j++) if (ascii[i + j] === 1) word |= 1 << j;
    low |= BigInt(word >>> 0) << BigInt(i);
  }
  return low;
}
