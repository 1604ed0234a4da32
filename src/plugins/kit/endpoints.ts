/**
 * Endpoints that a plugin brings for operators: below `/plugins-api/NAME` on the Admin API's listeners, or on those of the
 * Status API. They run in the main thread, beside all that administers the node, and so must never compute for long.
 */
import type { Reply } from './reply.ts';
import type { NodeCircuits } from '../../zone/circuits/node-circuits.ts';
import type { PluginServices } from './services.ts';

/** What the main thread has of what a plugin is handed in workers; counters, values and records are the same ones. */
export type EndpointServices = Pick<PluginServices, 'log' | 'counters' | 'shared' | 'records'> & {
  readonly node: { readonly id: string; readonly hostname: string };
  /** For Sluice's own plugins. */
  readonly circuits?: NodeCircuits;
};

export interface EndpointRequest {
  readonly method: string;
  /** Of the placeholders of the endpoint's path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  header(name: string): string | undefined;
  /** Name of the token that asks; null where nobody has to say. */
  readonly principal: string | null;
  /** Up to 1 MiB; a larger one is answered with 413. */
  body(): Promise<Buffer>;
}

export type EndpointHandler = (
  request: EndpointRequest,
  services: EndpointServices,
) => Reply | Promise<Reply>;

export type EndpointMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Reading needs a token that reads; everything else one that may change the configuration as a whole. */
export interface AdminEndpoint {
  /** `/sessions/{id}`: letters, digits, `-`, `_` and placeholders. */
  readonly path: string;
  readonly methods: Readonly<Partial<Record<EndpointMethod, EndpointHandler>>>;
}

/** Everybody who reaches the listener may read it. */
export interface StatusEndpoint {
  readonly path: string;
  readonly methods: { readonly GET: EndpointHandler };
}
