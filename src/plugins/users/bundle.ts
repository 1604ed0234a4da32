/** Reads users' plugins and imports them: from the folder, or from the texts of a bundle. */
import { SCHEMAS } from '../schemas.ts';
import { checkDefinition } from './definition.ts';
import { kindConflicts } from './entities.ts';
import { PluginProblems, findPlugins } from './find.ts';
import {
  type BundledPlugin,
  type PluginBundle,
  type PluginVersion,
  type StagedBundle,
  type UserPlugin,
  goLive,
  liveGeneration,
  livePlugins,
} from './live.ts';
import { forgetSources, importPlugin } from './modules.ts';

/** As its files are at this moment. */
export type ReadPlugin = Omit<BundledPlugin, 'cell'>;

/** Imports what is new, and changes nothing yet. @throws PluginProblems */
export async function stageBundle(bundle: PluginBundle): Promise<StagedBundle> {
  const changed = new Map<string, UserPlugin>();
  const problems: string[] = [];
  const live = livePlugins();
  for (const plugin of bundle.plugins) {
    const { name, version, file, cell } = plugin;
    if (live.get(name)?.version === version) continue;
    try {
      const { module } = await importPlugin(plugin, plugin.sources);
      changed.set(name, { name, version, file, cell, definition: checkDefinition(module, name) });
    } catch (error) {
      problems.push(`${file}: ${loadFailure(error)}`);
    } finally {
      forgetSources(plugin);
    }
  }
  if (problems.length > 0) throw new PluginProblems(problems);
  const names = new Set(bundle.plugins.map(({ name }) => name));
  const all = bundle.plugins.flatMap(({ name }) => changed.get(name) ?? live.get(name) ?? []);
  const conflicts = kindConflicts([...SCHEMAS, ...all.map(({ definition }) => definition)]);
  if (conflicts.length > 0) throw new PluginProblems(conflicts);
  return {
    generation: bundle.generation,
    changed,
    gone: [...live.keys()].filter((name) => !names.has(name)),
  };
}

/** @throws PluginProblems */
export async function applyBundle(bundle: PluginBundle): Promise<void> {
  if (bundle.generation !== liveGeneration()) goLive(await stageBundle(bundle));
}

/** Reads a folder in this thread and lets it live: for commands. @throws PluginProblems */
export async function applyFolder(folder: string | null): Promise<readonly string[]> {
  if (folder === null) return [];
  const files = findPlugins(folder);
  const { plugins, problems } = await readPlugins(files.map((file) => ({ ...file, version: 1 })));
  if (problems.length > 0) throw new PluginProblems(problems);
  await applyBundle({
    generation: 1,
    plugins: plugins.map((plugin, at) => Object.assign(plugin, { cell: at + 1 })),
  });
  return files.map(({ name }) => name);
}

/** Imports each from its files, and answers what it read. */
export async function readPlugins(
  files: readonly PluginVersion[],
): Promise<{ readonly plugins: ReadPlugin[]; readonly problems: string[] }> {
  const plugins: ReadPlugin[] = [];
  const problems: string[] = [];
  for (const file of files) {
    try {
      const { module, sources } = await importPlugin(file, null);
      checkDefinition(module, file.name);
      plugins.push({ ...file, sources });
    } catch (error) {
      problems.push(`${file.file}: ${loadFailure(error)}`);
    }
  }
  return { plugins, problems };
}

/** A syntax error's stack begins with its place; others say enough with their message. */
function loadFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof SyntaxError) || error.stack === undefined) return error.message;
  const place = /^file:.*?(?:\?sluice-plugin=[^:]*)?:(\d+)$/m.exec(error.stack);
  return place === null ? error.message : `line ${place[1]}: ${error.message}`;
}
