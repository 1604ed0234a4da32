/** Collects what is wrong with a file, and gives it positions at the end. */
import type { Values } from '../../entities/schema/field.ts';
import { pathText, type Segment } from '../../entities/schema/issue.ts';
import { isUuid } from '../../entities/schema/string-check.ts';
import { MAX_ERRORS, moreErrors, shorten } from './bounds.ts';
import type { DeclarativeError, DeclarativeErrorEntity, DeclarativeErrorKind } from './declarative.ts';
import { type Item, placeOf } from './items.ts';
import type { SyntaxProblem } from './parse.ts';
import { locate } from './places.ts';

export interface Problem {
  readonly at: readonly Segment[];
  readonly message: string;
  readonly kind: DeclarativeErrorKind;
  readonly item?: Item | null;
}

export class Problems {
  readonly #list: Problem[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(problem: Problem): void {
    if (this.#count++ < MAX_ERRORS) this.#list.push({ ...problem, message: shorten(problem.message) });
  }

  /** In the order of the text. */
  errors(text: string, format: 'json' | 'yaml'): DeclarativeError[] {
    const positions = locate(
      text,
      format,
      this.#list.map(({ at }) => at),
    );
    const entities = new Map<Item, DeclarativeErrorEntity>();
    const errors = this.#list.map(({ at, message, kind, item }, index): DeclarativeError => {
      const position = positions[index] ?? null;
      const error = {
        line: position?.line ?? null,
        column: position?.column ?? null,
        path: pathText(at),
        at,
        message,
        kind,
      };
      if (item === undefined || item === null) return error;
      let entity = entities.get(item);
      if (entity === undefined) entities.set(item, (entity = entityOf(item)));
      return { ...error, entity };
    });
    errors.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
    const more = this.#count - this.#list.length;
    if (more > 0) {
      errors.push({ line: null, column: null, path: '', at: [], message: moreErrors(more), kind: 'format' });
    }
    return errors;
  }
}

/** What a text says that cannot be read at all. */
export function syntaxError({ message, position }: SyntaxProblem): DeclarativeError {
  return {
    line: position?.line ?? null,
    column: position?.column ?? null,
    path: '',
    at: [],
    message: shorten(`failed parsing declarative configuration: ${message}`),
    kind: 'syntax',
  };
}

function entityOf(item: Item): DeclarativeErrorEntity {
  const { kind, raw, parent, parentField } = item;
  const entity: Record<string, unknown> = Object.fromEntries(
    Object.entries(raw).filter(([key]) => !kind.children.has(key) && key !== kind.members?.key),
  );
  const parentId = parent?.raw['id'];
  if (parentField !== null && entity[parentField] === undefined && isUuid(parentId)) {
    entity[parentField] = { id: parentId };
  }
  return {
    type: kind.name,
    name: typeof raw['name'] === 'string' && raw['name'] !== '' ? raw['name'] : null,
    id: isUuid(raw['id']) ? raw['id'] : null,
    tags: tagsOf(raw),
    entity,
    depth: placeOf(item).length,
  };
}

function tagsOf(raw: Values): readonly string[] | null {
  const { tags } = raw;
  return Array.isArray(tags) && tags.every((tag) => typeof tag === 'string') ? tags : null;
}
