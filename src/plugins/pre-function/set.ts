/** What snippets change of an exchange besides headers. What is no value for it, the kit refuses. */
import type { SnippetHost } from './host.ts';

type Change = (host: SnippetHost, value: string) => void;

const CHANGES: Readonly<Record<string, Change>> = {
  scheme: ({ exchange }, value) => {
    if (value !== 'http' && value !== 'https') throw new TypeError("the scheme must be 'http' or 'https'");
    exchange.upstreamRequest.setScheme(value);
  },
  path: ({ exchange }, value) => {
    exchange.upstreamRequest.path = value;
  },
  query: ({ exchange }, value) => {
    exchange.upstreamRequest.query = value;
  },
  method: ({ exchange }, value) => {
    exchange.upstreamRequest.method = value;
  },
  body: ({ exchange }, value) => exchange.upstreamRequest.setBody(JSON.parse(value) as string),
  target: ({ exchange }, value) => {
    const [host, port] = JSON.parse(value) as [string, number];
    exchange.upstreamRequest.setTarget(host, port);
  },
  retries: ({ exchange }, value) => exchange.upstreamRequest.setRetries(Number(value)),
  timeouts: ({ exchange }, value) => {
    const [connect, write, read] = (JSON.parse(value) as unknown[]).map(milliseconds);
    exchange.upstreamRequest.setTimeouts({ connect: connect ?? 0, write: write ?? 0, read: read ?? 0 });
  },
  status: ({ exchange }, value) => {
    exchange.response.status = Number(value);
  },
  responseBody: ({ piece }, value) => {
    if (piece === null) throw new Error('the body of a response is there in the phase body_filter only');
    piece.setAll(JSON.parse(value) as string);
  },
  log: ({ exchange }, value) => {
    const [key, field] = JSON.parse(value) as [string, unknown];
    exchange.log.set(key, field);
  },
  authenticated: authenticate,
};

/** @throws Error */
export function setOf(host: SnippetHost, name: string, value: string): undefined {
  CHANGES[name]?.(host, value);
}

/** Kong's bounds. */
function milliseconds(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 2_147_483_646) {
    throw new RangeError('timeouts must be whole milliseconds from 1 to 2147483646');
  }
  return value;
}

function authenticate({ exchange, gateway }: SnippetHost, value: string): void {
  const [consumerId, credentialId] = JSON.parse(value) as [string | null, string | null];
  if ([consumerId, credentialId].some((id) => id !== null && typeof id !== 'string')) {
    throw new TypeError('an id must be a string');
  }
  const consumer = consumerId === null ? null : gateway.entities.get('consumers', consumerId);
  if (consumer === null && consumerId !== null) throw new Error('there is no such consumer');
  const credential = credentialId === null ? null : { id: credentialId, consumerId: consumer?.id ?? null };
  exchange.authenticate(consumer, credential);
}
