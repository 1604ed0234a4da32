/**
 * Which users' plugins the node has: the bundle that all threads import from, and the next one when files have changed.
 *
 * A plugin has changed when the text of one of its modules has. Only then it gets a new version, so that a reload loads and
 * leaks no more than what somebody edited.
 */
import { isKongPlugin } from '../../entities/plugin.ts';
import { readFileSync } from '../../lib/node-fs.ts';
import { stageBundle } from '../../plugins/users/bundle.ts';
import { PluginProblems, findPlugins } from '../../plugins/users/find.ts';
import {
  type BundledPlugin,
  type PluginBundle,
  type PluginVersion,
  type StagedBundle,
  NO_BUNDLE,
  goLive,
} from '../../plugins/users/live.ts';
import { SCHEMAS } from '../../plugins/schemas.ts';
import type { Settings } from '../../settings/settings.ts';
import { readFiles } from './read-folder.ts';

/** A bundle that the main thread has imported and nobody uses yet. */
export interface NextPlugins {
  readonly bundle: PluginBundle;
  readonly staged: StagedBundle;
}

export class PluginKeeper {
  readonly #folder: string | null;
  readonly #cells = new Map<string, number>();
  #bundle: PluginBundle = NO_BUNDLE;
  #versions = 0;

  constructor({ plugins_dir: folder }: Pick<Settings, 'plugins_dir'>) {
    this.#folder = folder;
  }

  get folder(): string | null {
    return this.#folder;
  }

  get bundle(): PluginBundle {
    return this.#bundle;
  }

  /** Name of the plugin that stands in a worker's zone as running; null: none. */
  named(cell: number): string | null {
    for (const [name, own] of this.#cells) if (own === cell) return name;
    return null;
  }

  /** The first bundle lives at once. @throws PluginProblems */
  async first(settings: Pick<Settings, 'plugins'>): Promise<readonly string[]> {
    const next = await this.next();
    if (next !== null) this.take(next);
    return judgeNames(
      settings,
      this.#bundle.plugins.map(({ name }) => name),
    );
  }

  /** Null: nothing has changed. @throws PluginProblems */
  async next(): Promise<NextPlugins | null> {
    if (this.#folder === null) return null;
    const before = new Map(this.#bundle.plugins.map((plugin) => [plugin.name, plugin]));
    const kept: BundledPlugin[] = [];
    const changed: PluginVersion[] = [];
    for (const { name, file } of findPlugins(this.#folder)) {
      const old = before.get(name);
      if (old?.file === file && isAsRead(old)) kept.push(old);
      else changed.push({ name, file, version: ++this.#versions });
    }
    if (changed.length === 0 && kept.length === before.size) return null;
    const read = (await readFiles(changed)).map((plugin) =>
      Object.assign(plugin, { cell: this.#cellOf(plugin.name) }),
    );
    const bundle = { generation: this.#bundle.generation + 1, plugins: [...kept, ...read] };
    return { bundle, staged: await stageBundle(bundle) };
  }

  take({ bundle, staged }: NextPlugins): void {
    goLive(staged);
    this.#bundle = bundle;
  }

  #cellOf(name: string): number {
    const cell = this.#cells.get(name) ?? this.#cells.size + 1;
    this.#cells.set(name, cell);
    return cell;
  }
}

function isAsRead({ sources }: BundledPlugin): boolean {
  try {
    return sources.entries().every(([path, text]) => readFileSync(path, 'utf8') === text);
  } catch {
    return false;
  }
}

/**
 * The names in the setting `plugins`, now that it is known what there is.
 *
 * @returns warnings: plugins of Kong's that are not there yet.
 * @throws PluginProblems for names that nobody knows: Kong does not start then either.
 */
export function judgeNames(
  { plugins }: Pick<Settings, 'plugins'>,
  users: readonly string[],
): readonly string[] {
  const there = new Set([...SCHEMAS.map(({ name }) => name), ...users]);
  const missing = plugins.filter((name) => name !== 'bundled' && !there.has(name));
  const unknown = missing.filter((name) => !isKongPlugin(name));
  if (unknown.length > 0) {
    throw new PluginProblems(
      unknown.map((name) => `plugins: there is no plugin '${name}', neither here nor in plugins_dir`),
    );
  }
  return missing.map((name) => `plugins: Kong's plugin '${name}' is not there yet`);
}
