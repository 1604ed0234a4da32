/** Requests to the Admin API of a gateway, and to the route of a quota plugin. */
import type { Gateway } from '../../support/gateway.ts';

export type Json = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** @param body a text is a form. */
export async function admin(gateway: Gateway, method: string, path: string, body?: unknown): Promise<Answer> {
  const form = typeof body === 'string';
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json';
  const sent = form ? body : JSON.stringify(body);
  const response = await fetch(`${gateway.adminUrl}${path}`, {
    method,
    ...(body === undefined ? {} : { body: sent, headers: { 'content-type': type } }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Json) };
}

/** On a connection of its own, so that any worker may get it. */
export async function lookUp(gateway: Gateway, headers: Readonly<Record<string, string>>): Promise<Json> {
  const response = await fetch(`${gateway.url}/a`, { headers: { ...headers, connection: 'close' } });
  const text = await response.text();
  return text.startsWith('{') ? (JSON.parse(text) as Json) : { status: response.status };
}
