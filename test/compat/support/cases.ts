/**
 * Tables of compatibility: what is asked of an Admin API, and what Kong 3.9 answers. Each table is played from the top
 * against the real gateway, so that a case may build on those before it. A wanted body is compared whole; where Kong's
 * answer differs from time to time, a regular expression or a question stands in its place.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Gateway, type GatewayOptions, startGateway } from '../../support/gateway.ts';

export interface Case {
  /** `POST /services`; `{name}` is what an earlier case kept. */
  readonly ask: string;
  /** A body: an object goes as JSON. `form` and `multipart` go as what they are called. */
  readonly json?: unknown;
  readonly form?: string;
  readonly multipart?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** Wanted as a whole; left out where only the status matters. */
  readonly body?: unknown;
  /** Wanted of the answer's headers. */
  readonly answered?: Readonly<Record<string, string | RegExp>>;
  /** Keeps the `id` of the answer under this name. */
  readonly keep?: string;
}

type Question = (value: unknown) => boolean;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const id: Question = (value) => typeof value === 'string' && UUID.test(value);
/** Seconds, whole. */
export const seconds: Question = (value) =>
  Number.isInteger(value) && Number(value) > 1.5e9 && Number(value) < 1e10;
/** Seconds with a fraction, as of targets. */
export const precise: Question = (value) => typeof value === 'number' && value > 1.5e9 && value < 1e10;
export const anything: Question = (value) => value !== undefined;
export const absent: Question = (value) => value === undefined;
/** An object that has at least these. */
class Having {
  readonly wanted: Readonly<Record<string, unknown>>;

  constructor(wanted: Readonly<Record<string, unknown>>) {
    this.wanted = wanted;
  }

  isOf(value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    return Object.entries(this.wanted).every(([name, one]) =>
      matches((value as Record<string, unknown>)[name], one),
    );
  }

  toJSON(): unknown {
    return { '…': this.wanted };
  }
}

export const having = (wanted: Readonly<Record<string, unknown>>): unknown => new Having(wanted);
/** A page that has no next one. */
export const page = (...data: readonly unknown[]): Readonly<Record<string, unknown>> => ({
  data,
  next: null,
});

function matches(value: unknown, wanted: unknown): boolean {
  if (typeof wanted === 'function') return (wanted as Question)(value);
  if (wanted instanceof Having) return wanted.isOf(value);
  if (wanted instanceof RegExp) return typeof value === 'string' && wanted.test(value);
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(value) &&
      value.length === wanted.length &&
      wanted.every((one, n) => matches(value[n], one))
    );
  }
  if (typeof wanted !== 'object' || wanted === null) return value === wanted;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const names = new Set([...Object.keys(value), ...Object.keys(wanted)]);
  const [has, wants] = [value as Record<string, unknown>, wanted as Record<string, unknown>];
  return [...names].every((name) => matches(has[name], wants[name]));
}

function print(wanted: unknown): string {
  return JSON.stringify(wanted, (_, value: unknown) => {
    if (typeof value === 'function') return `<${value.name}>`;
    return value instanceof RegExp ? String(value) : value;
  });
}

/** Kong's error bodies. */
export const violation = (fields: unknown, message: string): unknown => ({
  code: 2,
  name: 'schema violation',
  message,
  fields,
});
/** A violation of one field. */
export const wrong = (field: string, message: string): unknown =>
  violation({ [field]: message }, `schema violation (${field}: ${message})`);
/** A violation of the entity as a whole. */
export const wrongEntity = (message: string): unknown =>
  violation({ '@entity': [message] }, `schema violation (${message})`);
export const notUnique = (field: string, value: string): unknown => ({
  code: 5,
  name: 'unique constraint violation',
  message: `UNIQUE violation detected on '{${field}="${value}"}'`,
  fields: { [field]: value },
});
export const NOT_FOUND = { message: 'Not found' };
export const NOT_ALLOWED = { message: 'Method not allowed' };

class Player {
  readonly #origin: string;
  readonly #kept = new Map<string, string>();

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** What differs; null when nothing does. */
  async play(one: Case): Promise<string | null> {
    const [method = '', path = ''] = this.#fill(one.ask).split(' ');
    const response = await fetch(this.#origin + path, this.#init(method, one));
    const text = await response.text();
    const body: unknown = text === '' ? null : this.#parse(text);
    if (one.keep !== undefined) this.#kept.set(one.keep, String((body as { id?: unknown } | null)?.id));
    const differs: string[] = [];
    if (response.status !== one.status) differs.push(`status ${response.status} instead of ${one.status}`);
    const wanted = this.#fillAll(one.body);
    if (one.body !== undefined && !matches(body, wanted)) differs.push(`body, wanted ${print(wanted)}`);
    for (const [name, value] of Object.entries(one.answered ?? {})) {
      if (!matches(response.headers.get(name), value)) differs.push(`${name}, wanted ${String(value)}`);
    }
    if (differs.length === 0) return null;
    const sent = print(one.json ?? one.form ?? one.multipart ?? null);
    return `${one.ask} ${sent}\n  ${differs.join('\n  ')}\n  got ${response.status} ${text}`;
  }

  #init(method: string, one: Case): RequestInit {
    const headers = { ...one.headers };
    if (one.form !== undefined) {
      return {
        method,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: this.#fill(one.form),
      };
    }
    if (one.multipart !== undefined) {
      const body = new FormData();
      for (const [name, value] of Object.entries(one.multipart)) body.set(name, this.#fill(value));
      return { method, headers, body };
    }
    if (one.json === undefined) return { method, headers };
    const body = typeof one.json === 'string' ? one.json : JSON.stringify(this.#fillAll(one.json));
    return { method, headers: { 'content-type': 'application/json', ...headers }, body };
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }

  #fill(text: string): string {
    return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => this.#kept.get(name) ?? whole);
  }

  #fillAll(value: unknown): unknown {
    if (typeof value === 'string') return this.#fill(value);
    if (Array.isArray(value)) return value.map((one: unknown) => this.#fillAll(one));
    if (value instanceof Having) return having(this.#fillAll(value.wanted) as Having['wanted']);
    if (typeof value !== 'object' || value === null || value instanceof RegExp) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#fillAll(one)]));
  }
}

export const SQLITE: GatewayOptions = { settings: { database: 'sqlite' } };

export type Tables = Readonly<Record<string, readonly Case[]>>;

/** Plays tables against what listens at an origin; each is a test, and tells all that differs at once. */
export async function playAll(context: TestContext, origin: string, tables: Tables): Promise<void> {
  const player = new Player(origin);
  for (const [what, cases] of Object.entries(tables)) {
    await context.test(what, async () => {
      const differs: string[] = [];
      for (const one of cases) {
        const found = await player.play(one);
        if (found !== null) differs.push(found);
      }
      assert.equal(differs.join('\n'), '');
    });
  }
}

/** One gateway for all tables of a file. */
export function compare(tables: Tables, options: GatewayOptions = SQLITE): void {
  test('as Kong answers', async (context) => {
    await using gateway: Gateway = await startGateway(options);
    await playAll(context, gateway.adminUrl, tables);
  });
}
