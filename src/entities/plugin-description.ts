/**
 * What the control plane has to know of a plugin: from its description come the validation of its configuration,
 * `/schemas/plugins/NAME`, `/plugins/enabled`, OpenAPI, its page of the reference, and the TypeScript type of `config`.
 *
 * The plugins that Sluice has are listed in `src/plugins/schemas.ts`; those of users join them when their folder is read.
 */
import type {
  EntityCheck,
  EntityVariant,
  Field,
  Fields,
  RecordShorthand,
  Validator,
  Values,
} from './schema/field.ts';
import type { PluginEntity } from './plugin-entities.ts';
import * as t from './typedefs.ts';

export type PluginProtocol = (typeof t.PROTOCOLS)[number];

export interface PluginDescription<F extends Fields = Fields> {
  readonly name: string;
  /** Plugins run from the highest to the lowest; equal ones by name, descending. Kong's `PRIORITY`. */
  readonly priority: number;
  /** `x.y.z`; that of the gateway unless said. */
  readonly version?: string;
  /**
   * Its access filter says who calls (`exchange.authenticate`). On its routes, what a client says of that itself never
   * reaches the upstream: `X-Consumer-*`, `X-Credential-*`, `X-Authenticated-*`, `X-Anonymous-Consumer`, with hyphens or
   * any other signs. They are taken out before any access filter runs, so that what plugins set of them stays.
   */
  readonly identifies?: boolean;
  /** One sentence for people. */
  readonly description?: string;
  /** Protocols that `protocols` may name, and those that it has unless said; HTTP's and gRPC's unless said. */
  readonly protocols?: {
    readonly accepted: readonly PluginProtocol[];
    readonly default: readonly PluginProtocol[];
  };
  /** Its definition has endpoints of its own: the main thread loads it when they are asked for. Users' plugins need not say it. */
  readonly endpoints?: true;
  /** References that the plugin's entity may not have (Kong's `no_consumer` and the like). */
  readonly never?: ReadonlyArray<'route' | 'service' | 'consumer' | 'consumer_group'>;
  /** The fields of `config`. */
  readonly config: F;
  /** Rules across the fields of `config`. */
  readonly checks?: readonly EntityCheck[];
  /** A configuration that shows what the plugin is for: its page begins with it, and a test runs it. */
  readonly example?: Readonly<Record<string, unknown>>;
  /** A rule on `config` as a whole, where Kong's plugin has one: its message stands for `config` itself. */
  readonly configValidator?: Validator<Values>;
  /** Input names of `config` that stand for others. */
  readonly shorthands?: Readonly<Record<string, RecordShorthand>>;
  /** Why a configuration needs a database, or null: without one it is refused. */
  readonly needsDatabase?: (config: Values) => string | null;
  /** Kinds of entity that the plugin brings, parents before children. `gateway.own` finds them. */
  readonly entities?: readonly PluginEntity[];
  /** Rules across the plugin's entity. */
  readonly entityChecks?: readonly EntityCheck[];
}

/** Keeps the types of the fields exactly as they are written. */
export function describePlugin<const F extends Fields>(
  description: PluginDescription<F>,
): PluginDescription<F> {
  return description;
}

export const HTTP_PROTOCOLS = ['grpc', 'grpcs', 'http', 'https'] as const;
/** Kong's `typedefs.protocols`: all are accepted. */
export const ALL_PROTOCOLS = { accepted: t.PROTOCOLS, default: HTTP_PROTOCOLS } as const;

export interface PluginSchema extends EntityVariant {
  /** Kong's version and priority of the plugin, which clients show. */
  readonly version: string;
  readonly priority: number;
  readonly description: PluginDescription;
}

const REFERENCES = {
  route: 'routes',
  service: 'services',
  consumer: 'consumers',
  consumer_group: 'consumer_groups',
} as const;

/** @param version of the gateway: the plugin's own unless it has one. */
export function pluginSchema(description: PluginDescription, version: string): PluginSchema {
  const { accepted, default: usual } = description.protocols ?? {
    accepted: HTTP_PROTOCOLS,
    default: HTTP_PROTOCOLS,
  };
  const fields: Record<string, Field> = {
    protocols: {
      type: 'set',
      required: true,
      default: usual,
      elements: { type: 'string', one_of: accepted },
    },
    config: {
      type: 'record',
      required: true,
      fields: description.config,
      ...(description.checks === undefined ? {} : { entity_checks: description.checks }),
      ...(description.configValidator === undefined ? {} : { custom_validator: description.configValidator }),
      ...(description.shorthands === undefined ? {} : { shorthand_fields: description.shorthands }),
    },
  };
  for (const name of description.never ?? []) {
    fields[name] = { type: 'foreign', reference: REFERENCES[name], eq: null, default: null };
  }
  return {
    fields,
    entity_checks: description.entityChecks ?? [],
    version: description.version ?? version,
    priority: description.priority,
    description,
  };
}
