/**
 * `sluice/plugin`: all that a user's plugin imports. The one file of the source that only hands on what others define,
 * since the package has to have one address for it (`exports` in package.json; `users/modules.ts` inside the gateway).
 */
export type { Consumer } from '../entities/consumer.ts';
export type { ConsumerGroup } from '../entities/consumer-group.ts';
export type { Plugin } from '../entities/plugin.ts';
export { describeEntity, type PluginEntity, type PluginEntityOf } from '../entities/plugin-entities.ts';
export { ALL_PROTOCOLS, HTTP_PROTOCOLS, type PluginDescription } from '../entities/plugin-description.ts';
export type { Route } from '../entities/route.ts';
export type { Entity, EntityCheck, Field, Fields } from '../entities/schema/field.ts';
export type { Service } from '../entities/service.ts';
export { definePlugin, type PluginDefinition } from './kit/define.ts';
export {
  BodyTooLarge,
  type CertificateExchange,
  type Client,
  type ClientTls,
  type Credential,
  type EditHeaders,
  type Exchange,
  type IncomingRequest,
  type OutgoingResponse,
  type ReadHeaders,
  type StreamExchange,
  type UpstreamRequest,
  type UpstreamResponse,
} from './kit/exchange.ts';
export type {
  AdminEndpoint,
  EndpointHandler,
  EndpointRequest,
  EndpointServices,
  StatusEndpoint,
} from './kit/endpoints.ts';
export { FetchError, type FetchFailure } from './kit/fetch-error.ts';
export type { FilterResult, Filters, StreamRefusal } from './kit/filters.ts';
export {
  type Redis,
  RedisError,
  type RedisFailure,
  type RedisReply,
  type RedisScript,
  type RedisTarget,
} from './kit/redis.ts';
export { Reply, refuse, reply, type ReplyHeaders } from './kit/reply.ts';
export type {
  Cache,
  CacheOptions,
  EntityLookup,
  FetchOptions,
  FetchResponse,
  FetchTls,
  OwnEntities,
  OwnRecords,
  PluginLog,
  PluginMetrics,
  PluginServices,
  SharedCounters,
  SharedValues,
} from './kit/services.ts';
export {
  type HedgePolicy,
  NO_RETRY,
  type RetryPolicy,
  type TryFailure,
  type TryOutcome,
  type TryRecord,
} from './kit/tries.ts';
