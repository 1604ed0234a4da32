/** What is wrong with the endpoints that a definition brings, in words for its author; and how a path is found in them. */
import type { AdminEndpoint } from '../kit/endpoints.ts';

const PATH = /^(?:\/(?:[A-Za-z0-9_-]{1,100}|\{[a-z_]{1,50}\}))+$/;
const METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
const MAX_ENDPOINTS = 100;

/** Null: nothing is wrong. @param methods that they may have. */
export function endpointsProblem(given: unknown, what: string, methods = METHODS): string | null {
  if (given === undefined) return null;
  if (!Array.isArray(given) || given.length > MAX_ENDPOINTS)
    return `${what} is no list of at most ${MAX_ENDPOINTS}`;
  const known = new Set<string>();
  for (const one of given as readonly unknown[]) {
    const { path, methods: handlers } = (one ?? {}) as Partial<AdminEndpoint>;
    if (typeof path !== 'string' || !PATH.test(path)) return `${what}: a path is like '/sessions/{id}'`;
    const shape = path.replaceAll(/\{\w+\}/g, '{}');
    if (known.has(shape)) return `${what}: ${path} is there twice`;
    known.add(shape);
    const entries = Object.entries(handlers ?? {});
    const fine = entries.every(([method, handler]) => methods.has(method) && typeof handler === 'function');
    if (!fine || entries.length === 0) {
      return `${what}: ${path} has methods that are functions, among ${[...methods].join(', ')}`;
    }
  }
  return null;
}

export interface FoundEndpoint<E> {
  readonly endpoint: E;
  readonly params: Readonly<Record<string, string>>;
}

/** Literal segments win over placeholders. @param path still percent-encoded. */
export function findEndpoint<E extends { readonly path: string }>(
  endpoints: readonly E[],
  path: string,
): FoundEndpoint<E> | null {
  const asked = path.replace(/\/$/, '').split('/');
  let best: FoundEndpoint<E> | null = null;
  for (const endpoint of endpoints) {
    const params = match(endpoint.path.split('/'), asked);
    if (params === null) continue;
    if (best === null || Object.keys(params).length < Object.keys(best.params).length)
      best = { endpoint, params };
  }
  return best;
}

function match(wanted: readonly string[], asked: readonly string[]): Record<string, string> | null {
  if (wanted.length !== asked.length) return null;
  const params: Record<string, string> = {};
  for (const [at, segment] of wanted.entries()) {
    const text = asked[at] ?? '';
    if (!segment.startsWith('{')) {
      if (segment !== text) return null;
      continue;
    }
    try {
      params[segment.slice(1, -1)] = decodeURIComponent(text);
    } catch {
      return null;
    }
    if (text === '') return null;
  }
  return params;
}
