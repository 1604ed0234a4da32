/**
 * Text → plain values. JSON when it is JSON, else YAML with js-yaml, in Kong's reading (yaml-schema.ts).
 *
 * Repeated keys are errors in both, since one of the two would be lost silently. Both parsers define a key named
 * `__proto__` as an own property. Nesting is bounded, and so is what aliases make of a small text: the values are
 * shared, but validation visits each use, so uses are counted before anything walks them.
 */
import { load, YAMLException } from 'js-yaml';
import { MAX_ALIASED_VALUES, MAX_DEPTH, MAX_ERRORS, moreErrors } from './bounds.ts';
import { jsonFault } from './json-fault.ts';
import { type JsonDuplicate, measureJson, scanJson } from './json-scan.ts';
import { Lines, locateSecondDocument, type Position } from './places.ts';
import { LYAML_SCHEMA } from './yaml-schema.ts';

export interface SyntaxProblem {
  readonly message: string;
  readonly position: Position | null;
}

export type ParseResult =
  | { readonly value: unknown; readonly format: 'json' | 'yaml' }
  | { readonly problems: readonly SyntaxProblem[] };

export function parseText(text: string, filename: string): ParseResult {
  const named = filename.endsWith('.json');
  if (named || /^\s*[{[]/.test(text)) {
    const result = parseJson(text);
    // Flow-style YAML begins like JSON.
    if (named || !('notJson' in result)) return result;
  }
  return parseYaml(text);
}

function failed(message: string, position: Position | null = null): { problems: SyntaxProblem[] } {
  return { problems: [{ message, position }] };
}

function parseJson(text: string): ParseResult & { readonly notJson?: true } {
  const { tooDeepAt, keys } = measureJson(text, MAX_DEPTH);
  if (tooDeepAt !== null) {
    return failed(`nested deeper than ${MAX_DEPTH} levels`, new Lines(text).position(tooDeepAt));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = new Lines(text).position(jsonFault(text));
    const plain = message.replace(/ at position .*$|, (?:\.\.\.)?".*$/s, '');
    return { ...failed(plain, position), notJson: true };
  }
  if (countKeys(value) === keys) return { value, format: 'json' };
  return { problems: repeatedKeys(text) };
}

function repeatedKeys(text: string): SyntaxProblem[] {
  const duplicates: JsonDuplicate[] = [];
  scanJson(text, null, duplicates);
  const lines = new Lines(text);
  const problems: SyntaxProblem[] = duplicates.slice(0, MAX_ERRORS).map(({ key, offset }) => ({
    message: `repeated key ${JSON.stringify(key)}`,
    position: lines.position(offset),
  }));
  const more = duplicates.length - problems.length;
  if (more > 0) problems.push({ message: moreErrors(more), position: null });
  return problems;
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const one of value) count += countKeys(one);
    return count;
  }
  for (const one of Object.values(value)) count += 1 + countKeys(one);
  return count;
}

function parseYaml(text: string): ParseResult {
  let value: unknown;
  try {
    value = load(text, { schema: LYAML_SCHEMA, maxDepth: MAX_DEPTH, maxTotalMergeKeys: MAX_ALIASED_VALUES });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { mark, reason } = error;
    // Without a mark: the text holds no document, or more than one.
    if (mark === undefined) return failed(reason, locateSecondDocument(text));
    return failed(reason, { line: mark.line + 1, column: mark.column + 1 });
  }
  if (text.includes('&')) {
    const problem = new AliasCount(text.length + MAX_ALIASED_VALUES).problem(value);
    if (problem !== null) return failed(problem);
  }
  return { value, format: 'yaml' };
}

interface Extent {
  /** Values, itself included, each as often as a walk that follows aliases meets it. */
  readonly size: number;
  readonly height: number;
}

const SCALAR: Extent = { size: 1, height: 0 };

/** Measures values as a walk that follows every alias would meet them, visiting each only once. */
class AliasCount {
  readonly #limit: number;
  readonly #known = new Map<object, Extent>();
  readonly #open = new Set<object>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  problem(value: unknown): string | null {
    const { size, height } = this.#measure(value);
    if (height > MAX_DEPTH)
      return `an alias refers to what it is in, or nests deeper than ${MAX_DEPTH} levels`;
    return size > this.#limit ? `aliases make more than ${MAX_ALIASED_VALUES} values` : null;
  }

  /** Recursion is as deep as the text nests: what an alias refers to has been measured where it stands. */
  #measure(value: unknown): Extent {
    if (typeof value !== 'object' || value === null) return SCALAR;
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    if (this.#open.has(value)) return { size: 1, height: Infinity };
    this.#open.add(value);
    let size = 1;
    let height = 0;
    for (const one of Array.isArray(value) ? value : Object.values(value)) {
      const extent = this.#measure(one);
      size += extent.size;
      if (extent.height > height) height = extent.height;
    }
    this.#open.delete(value);
    const extent = { size, height: height + 1 };
    this.#known.set(value, extent);
    return extent;
  }
}
