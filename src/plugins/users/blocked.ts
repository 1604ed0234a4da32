/**
 * Users' plugins that kept a worker for too long. The main thread decides it, and every worker is told; until a plugin's
 * code or a configuration of it changes, that configuration answers 503.
 */
import { createHash } from 'node:crypto';
import type { Plugin } from '../../entities/plugin.ts';
import type { PluginVersion } from './live.ts';

export interface BlockedPlugin {
  readonly name: string;
  readonly version: number;
  /** `configDigest` of its configurations at that time, by id. */
  readonly configs: ReadonlyMap<string, string>;
}

let blocked: ReadonlyMap<string, BlockedPlugin> = new Map();

/** In place of those before. @returns names of those whose state may have changed. */
export function setBlocked(all: readonly BlockedPlugin[]): Set<string> {
  const names = new Set(blocked.keys());
  blocked = new Map(all.map((one) => [one.name, one]));
  return names.union(new Set(blocked.keys()));
}

export function isBlocked(
  { name, version }: PluginVersion,
  { id, config }: Pick<Plugin, 'id' | 'config'>,
): boolean {
  const found = blocked.get(name);
  return found !== undefined && found.version === version && found.configs.get(id) === configDigest(config);
}

/** The same for the same values, in whatever order. */
export function configDigest(config: unknown): string {
  return createHash('sha256').update(JSON.stringify(config, sorted)).digest('base64');
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
