/** What is wrong with an entity, and where in it. */

/** A field's name, a position from 0, or a key of a map (Kong reports a map as a whole, a reader wants the key). */
export type Segment = string | number | { readonly key: string };

/** Last segment of what is wrong with the entity as a whole. */
export const ENTITY = '@entity';

export interface Issue {
  readonly at: readonly Segment[];
  readonly message: string;
}

/** Further ones are counted, not listed: half a million unknown fields must not be told one by one. */
const MAX_ISSUES = 1000;

/** Collects issues during one validation and knows where it is. */
export class Issues<Context> {
  readonly context: Context;
  list: Issue[] = [];
  /** Count of issues; a quiet run only counts. */
  count = 0;
  /** Elements of lists and maps that were looked at. */
  elements = 0;
  readonly #at: Segment[] = [];
  #quiet = 0;

  constructor(context: Context) {
    this.context = context;
  }

  enter(segment: Segment): void {
    this.#at.push(segment);
  }

  leave(): void {
    this.#at.pop();
  }

  report(message: string): void {
    this.count++;
    if (this.#quiet > 0 || this.list.length > MAX_ISSUES) return;
    if (this.list.length < MAX_ISSUES) this.list.push({ at: [...this.#at], message });
    else this.list.push({ at: [ENTITY], message: 'further errors are not listed' });
  }

  reportAt(segment: Segment, message: string): void {
    this.enter(segment);
    this.report(message);
    this.leave();
  }

  /** Takes back what was said of a field of the record where it is, and of all in it. */
  forget(segment: Segment): void {
    if (this.#quiet > 0) return;
    const depth = this.#at.length;
    const kept = this.list.filter(
      ({ at }) => at[depth] !== segment || this.#at.some((here, index) => here !== at[index]),
    );
    this.count -= this.list.length - kept.length;
    this.list = kept;
  }

  /** Does the check find nothing wrong? It leaves no trace. */
  passes(check: () => void): boolean {
    const before = this.count;
    this.#quiet++;
    check();
    this.#quiet--;
    const passed = this.count === before;
    this.count = before;
    return passed;
  }
}

/** `services[2].routes[0].paths[1]`; empty for the whole. */
export function pathText(at: readonly Segment[]): string {
  let text = '';
  for (const segment of at) {
    if (segment === ENTITY) continue;
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (typeof segment === 'object') text += `[${JSON.stringify(segment.key)}]`;
    else text += text === '' ? segment : `.${segment}`;
  }
  return text;
}

/** A tree of messages as Kong answers it: records and arrays nested, `@entity` a list of messages. */
export type FieldsTree = { [field: string]: FieldsNode };
export type FieldsNode = string | FieldsTree | Array<FieldsNode | null>;

/** Of several messages for one place the first stays. */
export function fieldsTree(issues: Iterable<Issue>): FieldsTree {
  const root: FieldsTree = Object.create(null) as FieldsTree;
  for (const { at, message } of issues) {
    const path = at.filter((segment) => typeof segment !== 'object');
    if (path.length === 0) path.push(ENTITY);
    place(root, path, message);
  }
  return root;
}

function place(root: FieldsTree, path: ReadonlyArray<string | number>, message: string): void {
  let node: FieldsTree | Array<FieldsNode | null> = root;
  for (const [depth, segment] of path.entries()) {
    const next = path[depth + 1];
    const found = getChild(node, segment);
    if (next === undefined) {
      if (segment === ENTITY) {
        if (Array.isArray(found)) found.push(message);
        else setChild(node, segment, [message]);
      } else if (found === undefined) {
        setChild(node, segment, message);
      } else if (typeof found === 'object' && !Array.isArray(found)) {
        place(found, [ENTITY], message);
      }
      return;
    }
    if (typeof found === 'object') {
      node = found;
      continue;
    }
    const child: FieldsTree | Array<FieldsNode | null> =
      typeof next === 'number' ? [] : (Object.create(null) as FieldsTree);
    setChild(node, segment, child);
    // A message about the whole of it stays beside the messages about its parts.
    if (typeof found === 'string' && !Array.isArray(child)) child[ENTITY] = [found];
    node = child;
  }
}

function getChild(
  node: FieldsTree | Array<FieldsNode | null>,
  segment: string | number,
): FieldsNode | undefined {
  const child = Array.isArray(node) ? node[Number(segment)] : node[segment];
  return child ?? undefined;
}

function setChild(
  node: FieldsTree | Array<FieldsNode | null>,
  segment: string | number,
  child: FieldsNode,
): void {
  if (!Array.isArray(node)) {
    node[segment] = child;
    return;
  }
  const index = Number(segment);
  while (node.length < index) node.push(null);
  node[index] = child;
}
