/**
 * Declarative file → validated entities, or every error of the file at once.
 *
 * Steps, each over the whole file: parse; top-level keys; list the entities (nested or not); give ids and resolve
 * names; validate each entity; and only when all is valid, refuse what cannot run yet. The fast parser keeps no
 * positions; they are looked up in the text when there is an error to place.
 */
import { createHash } from 'node:crypto';
import { migratePath } from '../../entities/formats/path.ts';
import { notYet, type NotYet } from '../../entities/not-yet.ts';
import { PLUGIN_SCHEMAS } from '../../entities/plugin-schemas.ts';
import type { CheckContext, Values } from '../../entities/schema/field.ts';
import type { CompileOptions, CompileResult, DeclarativeConfig } from './declarative.ts';
import { collectItems, type Head, isRecord, type Item, type Items, placeOf, readHead } from './items.ts';
import { parseText } from './parse.ts';
import { type Problem, Problems, syntaxError } from './problems.ts';
import { References, UniqueValues } from './references.ts';
import { ROUTE_CHECKS } from './route-checks.ts';
import { decodeText } from './utf8.ts';

/** Never throws. The size of the text is the caller's to bound. */
export function compileDeclarative(text: string, options: CompileOptions): CompileResult {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const parsed = parseText(source, options.filename);
  if ('problems' in parsed) return { ok: false, errors: parsed.problems.map(syntaxError) };
  const problems = new Problems();
  const file = parsed.value;
  if (!isRecord(file)) {
    problems.add({ at: [], message: 'expected a declarative configuration', kind: 'format' });
    return { ok: false, errors: problems.errors(source, parsed.format) };
  }
  const prepared = options.prepare?.(file) ?? file;
  if (typeof prepared === 'string') {
    problems.add({ at: [], message: prepared, kind: 'format' });
    return { ok: false, errors: problems.errors(source, parsed.format) };
  }
  const compiled = new FileCompiler(options, problems).run(prepared);
  if (problems.count > 0) return { ok: false, errors: problems.errors(source, parsed.format) };
  const hash = createHash('md5').update(text).digest('hex');
  return { ok: true, config: { hash, ...compiled } };
}

/** The same from a file's bytes. */
export function compileBytes(bytes: Buffer, options: CompileOptions): CompileResult {
  const { text, error } = decodeText(bytes);
  return error === null ? compileDeclarative(text, options) : { ok: false, errors: [error] };
}

class FileCompiler {
  readonly #context: CheckContext;
  readonly #problems: Problems;
  readonly #withoutDatabase: boolean;

  constructor(options: CompileOptions, problems: Problems) {
    this.#context = { flavor: options.flavor, now: options.now, ...ROUTE_CHECKS };
    this.#problems = problems;
    this.#withoutDatabase = options.withoutDatabase === true;
  }

  /** Entities by kind; incomplete when problems were found. */
  run(file: Values): Omit<DeclarativeConfig, 'hash'> {
    const head = readHead(file, this.#problems, this.#context);
    const items = collectItems(file, this.#problems);
    const references = new References(items, this.#problems);
    const entities = this.#validate(items, references, head);
    if (this.#problems.count === 0) this.#refuseUnsupported(items, entities);
    return { entities, transform: head.transform };
  }

  #validate(items: Items, references: References, head: Head): Map<string, Values[]> {
    const unique = new UniqueValues(this.#problems);
    const entities = new Map<string, Values[]>();
    for (const [name, list] of items) {
      const valid: Values[] = [];
      for (const item of list) {
        const overrides = references.resolve(item);
        if (name === 'routes' && head.version !== '3.0') overrides['paths'] = migratePaths(item.raw['paths']);
        const entity = this.#validateOne(item, overrides);
        if (entity === null) continue;
        if (head.transform) item.kind.definition.transform?.(entity);
        if (!references.repeated.has(item)) unique.check(item, entity);
        valid.push(entity);
      }
      entities.set(name, valid);
    }
    return entities;
  }

  #validateOne(item: Item, overrides: Values): Record<string, unknown> | null {
    const { kind, raw } = item;
    const input = { input: raw, overrides, ignored: kind.extraKeys };
    const { entity, issues } = kind.validator.validate(input, this.#context);
    const notes = noteProblems(raw);
    if (issues === null && notes.length === 0) return entity;
    for (const { at, message } of [...(issues ?? []), ...notes]) {
      this.#problems.add({ at: [...placeOf(item), ...at], message, kind: 'schema', item });
    }
    return null;
  }

  #refuseUnsupported(items: Items, entities: ReadonlyMap<string, readonly Values[]>): void {
    const repeats: Problem[] = [];
    const said = new Set<string>();
    for (const [name, list] of items) {
      for (const [index, item] of list.entries()) {
        const entity = entities.get(name)?.[index] ?? {};
        for (const { path, message } of [...notYet(name, entity), ...this.#needs(name, entity)]) {
          const at = [...placeOf(item), ...path];
          const problem: Problem = { at, message, kind: 'unsupported', item };
          if (said.has(message)) repeats.push(problem);
          else this.#problems.add(problem);
          said.add(message);
        }
      }
    }
    // Last, so that the bound on errors cuts repetitions and hides no kind or plugin.
    for (const problem of repeats) this.#problems.add(problem);
  }

  /** What only works with a database. */
  #needs(kind: string, { name, config }: Values): readonly NotYet[] {
    if (!this.#withoutDatabase || kind !== 'plugins') return [];
    const why = PLUGIN_SCHEMAS.get(String(name))?.description.needsDatabase?.(config as Values) ?? null;
    return why === null ? [] : [{ path: ['config'], message: why }];
  }
}

/** Paths of `_format_version` 1.1 and 2.1; what is no list of strings is left to validation. */
function migratePaths(paths: unknown): unknown {
  if (!Array.isArray(paths)) return paths;
  return paths.map((path: unknown) => (typeof path === 'string' ? migratePath(path) : path));
}

/** `_comment` and `_ignore` of an entity. */
function noteProblems(raw: Values): Array<{ at: string[]; message: string }> {
  const problems = [];
  const { _comment: comment, _ignore: ignore } = raw;
  if (comment !== undefined && comment !== null && typeof comment !== 'string') {
    problems.push({ at: ['_comment'], message: 'expected a string' });
  }
  if (ignore !== undefined && ignore !== null && !Array.isArray(ignore)) {
    problems.push({ at: ['_ignore'], message: 'expected an array' });
  }
  return problems;
}
