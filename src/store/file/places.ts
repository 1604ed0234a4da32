/**
 * Where in a text the errors stand. Only run when there are errors: the fast parse keeps no positions.
 *
 * The wanted paths form a tree; one walk over the parser's events (YAML: the same parser that has loaded the text;
 * JSON: json-scan.ts) fills in offsets. A field is placed at its key, an element of a list where it begins; what the
 * text does not hold (a missing field, what an alias or a merge key brings) is placed at the nearest thing around it.
 */
import { type Event, EVENT_ID, getScalarValue, parseEvents } from 'js-yaml';
import type { Segment } from '../../entities/schema/issue.ts';
import { scanJson } from './json-scan.ts';

export interface Position {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export class Place {
  offset: number | null = null;
  readonly #children = new Map<string | number, Place>();

  child(key: string | number): Place | null {
    return this.#children.get(key) ?? null;
  }

  want(key: string | number): Place {
    let place = this.#children.get(key);
    if (place === undefined) this.#children.set(key, (place = new Place()));
    return place;
  }
}

/** Positions of the paths, in their order; null when the text cannot be walked. */
export function locate(
  text: string,
  format: 'json' | 'yaml',
  paths: ReadonlyArray<readonly Segment[]>,
): Array<Position | null> {
  const root = new Place();
  root.offset = 0;
  for (const path of paths) {
    let place = root;
    for (const segment of path) place = place.want(keyOf(segment));
  }
  try {
    if (format === 'json') scanJson(text, root);
    else new YamlWalk(text).run(root);
  } catch {
    return paths.map(() => null);
  }
  const lines = new Lines(text);
  return paths.map((path) => lines.position(nearestOffset(root, path)));
}

function keyOf(segment: Segment): string | number {
  return typeof segment === 'object' ? segment.key : segment;
}

function nearestOffset(root: Place, path: readonly Segment[]): number {
  let place: Place | null = root;
  let offset = 0;
  for (const segment of path) {
    place = place.child(keyOf(segment));
    if (place === null || place.offset === null) break;
    offset = place.offset;
  }
  return offset;
}

/** Where a second document begins with content; the beginning of the text when there is no such thing. */
export function locateSecondDocument(text: string): Position {
  const events = parseEvents(text, {});
  const second = events.findIndex(({ type }, index) => type === EVENT_ID.DOCUMENT && index > 0);
  const first = second === -1 ? undefined : events[second + 1];
  return new Lines(text).position((first === undefined ? null : startOf(text, first)) ?? 0);
}

/** Turns offsets into lines and columns. A line ends as YAML says: LF, CR LF or CR. */
export class Lines {
  readonly #starts: number[] = [0];

  constructor(text: string) {
    for (const end of text.matchAll(/\r\n?|\n/g)) this.#starts.push(end.index + end[0].length);
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 };
  }
}

class YamlWalk {
  readonly #text: string;
  readonly #events: readonly Event[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#events = parseEvents(text, {});
  }

  run(root: Place): void {
    if (this.#events[0]?.type === EVENT_ID.DOCUMENT) this.#next = 1;
    this.#node(root);
  }

  #node(place: Place | null): void {
    const event = this.#events[this.#next++];
    if (event === undefined) return;
    if (event.type === EVENT_ID.SEQUENCE) {
      for (let index = 0; !this.#atEnd(); index++) {
        const child = place?.child(index) ?? null;
        this.#mark(child);
        this.#node(child);
      }
      this.#next++;
    } else if (event.type === EVENT_ID.MAPPING) {
      while (!this.#atEnd()) this.#pair(place);
      this.#next++;
    }
  }

  #pair(place: Place | null): void {
    const key = this.#events[this.#next];
    const name = place !== null && key?.type === EVENT_ID.SCALAR ? getScalarValue(this.#text, key) : null;
    const child = name === null ? null : (place?.child(name) ?? null);
    this.#mark(child);
    this.#node(null);
    this.#node(child);
  }

  /** The next event is where the place begins. */
  #mark(place: Place | null): void {
    const event = this.#events[this.#next];
    if (place === null || event === undefined) return;
    place.offset = startOf(this.#text, event);
  }

  #atEnd(): boolean {
    const event = this.#events[this.#next];
    return event === undefined || event.type === EVENT_ID.POP;
  }
}

function startOf(text: string, event: Event): number | null {
  if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) return event.start;
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  if (event.type !== EVENT_ID.SCALAR || event.valueStart < 0) return null;
  const quote = text[event.valueStart - 1];
  return quote === '"' || quote === "'" ? event.valueStart - 1 : event.valueStart;
}
