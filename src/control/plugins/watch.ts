/**
 * Notices that files of `plugins_dir` have changed. What is watched are folders, since editors replace files: the folder
 * itself, those in it, and those of the modules that plugins have imported; never packages. What is missed (a file system
 * that tells nothing) is read with `sluice reload`.
 */
import { watch, type FSWatcher } from 'node:fs';
import { dirname, join } from 'node:path';
import { readdirSync, realpathSync } from '../../lib/node-fs.ts';
import type { Log } from '../log.ts';
import type { PluginKeeper } from './plugin-keeper.ts';

/** An editor writes a file in several steps. */
const SETTLE_MS = 100;
const MAX_FOLDERS = 2000;

/** Null: there is nothing to watch. */
export function watchPlugins(keeper: PluginKeeper, changed: () => void, log: Log): Disposable | null {
  return keeper.folder === null ? null : new Watch(keeper, keeper.folder, changed, log);
}

class Watch implements Disposable {
  readonly #keeper: PluginKeeper;
  readonly #root: string;
  readonly #changed: () => void;
  readonly #log: Log;
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;

  constructor(keeper: PluginKeeper, root: string, changed: () => void, log: Log) {
    this.#keeper = keeper;
    this.#root = root;
    this.#changed = changed;
    this.#log = log;
    this.#cover();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
  }

  #onEvent(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // First the folders: what is written into a new one from now on is noticed.
      this.#cover();
      this.#changed();
    }, SETTLE_MS).unref();
  }

  #cover(): void {
    const folders = this.#folders();
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder) || this.#watchers.size >= MAX_FOLDERS) continue;
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#onEvent());
        watcher.on('error', () => this.#forget(folder));
        this.#watchers.set(folder, watcher);
      } catch (error) {
        this.#log('warn', `plugins_dir: changes in ${folder} are not noticed: ${(error as Error).message}`);
      }
    }
  }

  #forget(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #folders(): Set<string> {
    const folders = new Set<string>();
    try {
      const root = realpathSync(this.#root);
      folders.add(root);
      for (const entry of readdirSync(root, { withFileTypes: true })) {
        if (entry.isDirectory() && !/^\.|^node_modules$/.test(entry.name))
          folders.add(join(root, entry.name));
      }
    } catch {
      // It is gone for now; reading it says so.
    }
    for (const { sources } of this.#keeper.bundle.plugins) {
      for (const path of sources.keys()) folders.add(dirname(path));
    }
    return folders;
  }
}
