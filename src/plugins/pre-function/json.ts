/** What snippets ask of an exchange that has parts: as JSON, a copy. */
import type { ReadHeaders } from '../kit/exchange.ts';
import { findConsumer } from '../common/identity.ts';
import type { SnippetHost } from './host.ts';

type Answer = (host: SnippetHost, argument: string) => unknown;

const ANSWERS: Readonly<Record<string, Answer>> = {
  headers: ({ exchange }) => headersOf(exchange.request.headers),
  responseHeaders: ({ exchange }) => headersOf(exchange.response.headers),
  serviceHeaders: ({ exchange }) => headersOf(exchange.upstreamResponse.headers),
  forwarded: ({ exchange }) => exchange.request.forwarded,
  args: ({ exchange }) => single(exchange.request.args),
  captures: ({ exchange }) => exchange.request.captures(),
  route: ({ exchange }) => exchange.route,
  service: ({ exchange }) => exchange.service,
  consumer: ({ exchange }) => exchange.consumer,
  credential: ({ exchange }) => exchange.credential,
  groups: ({ exchange }) => exchange.groups,
  loadConsumer: ({ gateway }, id) => gateway.entities.get('consumers', id),
  findConsumer: ({ gateway }, name) => findConsumer(gateway.entities, name),
  form: (_, body) => single(formOf(body)),
};

/** @throws Error */
export function jsonOf(host: SnippetHost, name: string, argument: string): string {
  const { [name]: answer } = ANSWERS;
  return JSON.stringify(answer?.(host, argument) ?? null);
}

/** One value as it is, several as a list. */
function single(values: ReadonlyMap<string, readonly string[]>): unknown {
  const entries: Array<readonly [string, string | readonly string[]]> = [];
  for (const [name, list] of values) entries.push([name, list.length === 1 ? (list[0] as string) : list]);
  return Object.fromEntries(entries);
}

function headersOf(headers: ReadHeaders): unknown {
  return single(grouped(headers.entries()));
}

function formOf(body: string): ReadonlyMap<string, string[]> {
  return grouped(new URLSearchParams(body).entries());
}

function grouped(entries: Iterable<[string, string]>): ReadonlyMap<string, string[]> {
  const lists = new Map<string, string[]>();
  for (const [name, value] of entries) {
    const list = lists.get(name);
    if (list === undefined) lists.set(name, [value]);
    else list.push(value);
  }
  return lists;
}
