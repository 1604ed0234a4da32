/**
 * The users' plugins that a thread has. All threads of a node have the same `PluginBundle`, which is data: which plugins
 * there are, their versions, and the texts of their modules. The main thread has it made (`control/plugins/`), and each
 * thread imports from it what it does not have (`bundle.ts`).
 */
import { addPluginSchema, removePluginSchema } from '../../entities/plugin-schemas.ts';
import type { PluginDefinition } from '../kit/define.ts';

export interface PluginVersion {
  readonly name: string;
  readonly version: number;
  /** Absolute, without links. */
  readonly file: string;
}

/** Text of each module, by path. */
export type Sources = ReadonlyMap<string, string>;

export interface BundledPlugin extends PluginVersion {
  readonly sources: Sources;
  /** What stands in the zone while one of its filters runs: never 0. */
  readonly cell: number;
}

export interface PluginBundle {
  /** Rises with each change. */
  readonly generation: number;
  readonly plugins: readonly BundledPlugin[];
}

/** A plugin whose code this thread has. */
export interface UserPlugin extends PluginVersion {
  readonly definition: PluginDefinition;
  readonly cell: number;
}

/** What a bundle would change in this thread. */
export interface StagedBundle {
  readonly generation: number;
  /** New ones and changed ones. */
  readonly changed: ReadonlyMap<string, UserPlugin>;
  readonly gone: readonly string[];
}

export const NO_BUNDLE: PluginBundle = { generation: 0, plugins: [] };

const live = new Map<string, UserPlugin>();
let generation = 0;
let replaced = 0;

export function userPlugin(name: string): UserPlugin | null {
  return live.get(name) ?? null;
}

export function livePlugins(): ReadonlyMap<string, UserPlugin> {
  return live;
}

export function liveGeneration(): number {
  return generation;
}

/** Versions whose modules this thread keeps although others have taken their place: no module can be unloaded. */
export function replacedVersions(): number {
  return replaced;
}

export function goLive(staged: StagedBundle): void {
  for (const [name, plugin] of staged.changed) {
    if (live.has(name)) replaced++;
    live.set(name, plugin);
    addPluginSchema(plugin.definition);
  }
  for (const name of staged.gone) {
    live.delete(name);
    removePluginSchema(name);
    replaced++;
  }
  generation = staged.generation;
}
