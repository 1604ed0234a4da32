/**
 * What runs in the sandbox before any snippet: it makes `kong` out of the functions of the host. None of this runs in the host:
 * its source goes there as text, so a function here names nothing outside itself, but for the others of `PRELUDE` and
 * `host`, and everything may have been tampered with by a snippet: that harms the snippets of its own configuration only.
 *
 * Texts go to the host one by one, everything else as JSON. Each function of `kong` has both of its names, Kong's
 * `get_header` and JavaScript's `getHeader`.
 */
import { kongClient, kongContext, kongNode } from './prelude-context.ts';
import { kongRequest, kongService } from './prelude-request.ts';
import { kongResponse } from './prelude-response.ts';

/** The host's functions, as the sandbox sees them. */
export interface SandboxHost {
  fact(name: string): string | number | boolean | null;
  json(name: string, argument: string): string;
  requestHeader(name: string): string | null;
  queryArg(name: string): string | null;
  setRequestHeader(name: string, value: string): void;
  responseHeader(name: string): string | null;
  serviceHeader(name: string): string | null;
  setResponseHeader(name: string, value: string): void;
  /** A change of headers: which, its name, and a JSON list of values. */
  header(change: string, name: string, values: string): void;
  set(name: string, value: string): void;
  exit(status: string, kind: string, body: string, headers: string): void;
  log(level: string, message: string): void;
  sharedGet(space: string, key: string): string | null;
  sharedSet(space: string, key: string, json: string): void;
  chunk(): string;
  body(whole: string): string | null;
}

type Group = Record<string, unknown>;

/** Helpers of all groups. A text that crosses ends at its first zero, so it may have none. */
function helpers() {
  const text = (value: unknown, what: string): string => {
    const kind = typeof value;
    if (kind !== 'string' && kind !== 'number' && kind !== 'boolean') {
      throw new TypeError(`${what} must be a string, a number or a boolean`);
    }
    const written = String(value);
    if (written.includes('\0')) throw new TypeError(`${what} has a null character`);
    return written;
  };
  const named = (group: Group, missing: readonly string[] = [], path = ''): Group => {
    const both: Group = {};
    const define = (name: string, value: unknown): void => {
      both[name] = value;
      if (typeof value === 'function') both[name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)] = value;
    };
    for (const name of Object.keys(group)) define(name, group[name]);
    for (const name of missing) {
      define(name, () => {
        throw new Error(`kong.${path}.${name} is not there for snippets`);
      });
    }
    return both;
  };
  const list = (value: unknown, what: string): string =>
    JSON.stringify((Array.isArray(value) ? value : [value]).map((one) => text(one, what)));
  const map = (value: unknown, what: string): string => {
    if (typeof value !== 'object' || value === null) throw new TypeError(`${what} must be an object`);
    const entries: Array<readonly [string, string[]]> = [];
    for (const [name, one] of Object.entries(value)) {
      entries.push([name, (Array.isArray(one) ? one : [one]).map((each) => text(each, `${what} '${name}'`))]);
    }
    return JSON.stringify(entries);
  };
  /** Thrown to end a snippet that has answered the request. */
  const exited = Symbol('exited');
  return { text, named, list, map, exited };
}

export type Helpers = ReturnType<typeof helpers>;

/** The phases: snippets are added one by one, and each phase is a function that calls its own. */
function phases(host: SandboxHost, kong: unknown, exited: unknown) {
  type Snippet = (...args: unknown[]) => unknown;
  const snippets: Record<string, Array<(chunk: unknown, last: unknown) => unknown>> = {};
  const add = (phase: string, snippet: Snippet): void => {
    let started = false;
    let answered: Snippet | null = null;
    (snippets[phase] ??= []).push((chunk, last) => {
      if (answered !== null) return answered(chunk, last);
      const answer = snippet(kong, chunk, last);
      // As in Kong: the first run may answer the function that is called from then on.
      const again = started;
      started = true;
      if (again || typeof answer !== 'function') return answer;
      answered = answer as Snippet;
      return answered(chunk, last);
    });
  };
  const describe = (error: unknown): string => {
    if (!(error instanceof Error)) return String(error);
    const at = /\[\d+\]:(\d+)/.exec(String(error.stack))?.[1];
    return `${error.name}: ${error.message}${at === undefined ? '' : ` (line ${at})`}`;
  };
  const run = (phase: string, chunk: unknown, last: unknown): unknown => {
    const all = snippets[phase] ?? [];
    let answer: unknown;
    for (let index = 0; index < all.length; index++) {
      try {
        const value = all[index]?.(chunk, last);
        if (value === undefined) continue;
        if (value instanceof Promise) {
          throw new TypeError('a snippet cannot wait: it gave a promise');
        }
        answer = value;
      } catch (error) {
        if (error === exited) return undefined;
        throw `${phase}[${index + 1}]: ${describe(error)}`;
      }
    }
    return answer;
  };
  const body = (isLast: boolean) => (): string | undefined => {
    const answer = run('body_filter', host.chunk(), isLast);
    if (answer === undefined) return undefined;
    if (typeof answer !== 'string') throw 'body_filter: a piece of a body must be a string';
    return JSON.stringify(answer);
  };
  const runs: Record<string, () => unknown> = { piece: body(false), last: body(true) };
  for (const phase of ['certificate', 'rewrite', 'access', 'header_filter', 'log']) {
    runs[phase] = () => void run(phase, undefined, undefined);
  }
  return { add, ...runs };
}

function main(host: SandboxHost) {
  const help = helpers();
  const kong = {
    request: kongRequest(host, help),
    service: kongService(host, help),
    response: kongResponse(host, help),
    ...kongContext(host, help),
    client: kongClient(host, help),
    ...kongNode(host, help),
  };
  return phases(host, kong, help.exited);
}

const PARTS: ReadonlyArray<(...args: never[]) => unknown> = [
  helpers,
  kongRequest,
  kongService,
  kongResponse,
  kongContext,
  kongClient,
  kongNode,
  phases,
];

/** The source of a function of the host's functions. */
export const PRELUDE = `(function (host) { 'use strict'; ${PARTS.map(String).join('\n')}\nreturn (${String(main)})(host) })`;
