/**
 * What `plugins_dir` holds: `NAME.ts`, `NAME.js`, `NAME/index.ts` or `NAME/index.js` is the plugin NAME. Tests
 * (`*.test.ts`), declarations (`*.d.ts`), names that begin with `_` or `.`, and folders without an index are no plugins;
 * plugins may import them.
 */
import { existsSync, readdirSync, realpathSync } from '../../lib/node-fs.ts';
import { join } from 'node:path';

export interface PluginFile {
  readonly name: string;
  /** Absolute, without links: what stacks and watchers say. */
  readonly file: string;
}

export const PLUGIN_NAME = /^[a-z][a-z0-9_-]{0,63}$/;
/** Plugins of one folder. */
const MAX_PLUGINS = 1000;

/** Everything that is wrong with users' plugins, one line for each problem. */
export class PluginProblems extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'PluginProblems';
    this.problems = problems;
  }
}

/** By name. @throws PluginProblems */
export function findPlugins(folder: string): readonly PluginFile[] {
  let root: string;
  let entries;
  try {
    root = realpathSync(folder);
    entries = readdirSync(root, { withFileTypes: true });
  } catch (error) {
    throw new PluginProblems([`plugins_dir: cannot read ${folder}: ${(error as Error).message}`]);
  }
  if (/[\\/]node_modules(?:[\\/]|$)/.test(root)) {
    throw new PluginProblems([
      `plugins_dir: ${root} lies in a node_modules, where Node reads no TypeScript: move the folder`,
    ]);
  }
  const found = new Map<string, PluginFile>();
  const problems: string[] = [];
  for (const { name: entry } of entries) {
    const plugin = pluginAt(root, entry);
    if (plugin === null) continue;
    const twin = found.get(plugin.name);
    if (!PLUGIN_NAME.test(plugin.name)) {
      problems.push(
        `${plugin.file}: '${plugin.name}' is no name of a plugin: lower-case letters, digits, - and _, a letter first (a helper's name begins with _)`,
      );
    } else if (twin !== undefined)
      problems.push(`${plugin.file}: ${twin.file} is a plugin of that name, too`);
    else found.set(plugin.name, plugin);
  }
  if (found.size > MAX_PLUGINS) problems.push(`plugins_dir: ${root} holds more than ${MAX_PLUGINS} plugins`);
  if (problems.length > 0) throw new PluginProblems(problems);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function pluginAt(root: string, entry: string): PluginFile | null {
  if (/^[._]|\.(?:test|d)\.[tj]s$/.test(entry) || entry === 'node_modules') return null;
  const single = /^(.*)\.[tj]s$/.exec(entry)?.[1];
  if (single !== undefined) return { name: single, file: realpathSync(join(root, entry)) };
  const index = ['index.ts', 'index.js']
    .map((file) => join(root, entry, file))
    .find((file) => existsSync(file));
  return index === undefined ? null : { name: entry, file: realpathSync(index) };
}
