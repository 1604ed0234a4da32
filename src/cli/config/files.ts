/**
 * Declarative files, Kong's and decK's, read and merged into one.
 *
 * decK's own keys are worked in here: `_info` (select tags, defaults), `_plugin_configs`, `_workspace`. Lists of several
 * files are joined; what is said once for all (`_transform`, select tags) must be said alike.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { migratePath } from '../../entities/formats/path.ts';
import { parseText } from '../../store/file/parse.ts';
import { decodeText } from '../../store/file/utf8.ts';
import { CommandError } from '../command.ts';
import { isObject } from './server.ts';

type Values = Readonly<Record<string, unknown>>;

/** One file, as it stands there. */
export interface ConfigFile {
  readonly name: string;
  readonly values: Values;
}

export interface MergedFile {
  /** Its keys are lists of entities by kind. */
  readonly files: readonly ConfigFile[];
  readonly selectTags: readonly string[];
  /** By singular name: `service`. */
  readonly defaults: Readonly<Record<string, Values>>;
  /** Passwords are to be hashed; false: they are already. */
  readonly transform: boolean;
}

const VERSIONS: ReadonlySet<unknown> = new Set(['1.1', '2.1', '3.0']);

/** Files, and the YAML and JSON files of folders. `-` is standard input. @throws CommandError */
export function readFiles(names: readonly string[]): MergedFile {
  const files = names.flatMap(expandFolder).map(readFile);
  if (files.length === 0) throw new CommandError(`no YAML or JSON file in ${names.join(', ')}`);
  for (const file of files) checkHead(file);
  const infos = files.map(({ values }) => (isObject(values['_info']) ? values['_info'] : {}));
  return {
    files: files.map(worked),
    selectTags: oneSelection(files, infos),
    defaults: Object.assign(
      {},
      ...infos.map(({ defaults }) => (isObject(defaults) ? defaults : {})),
    ) as Record<string, Values>,
    transform: oneTransform(files),
  };
}

function expandFolder(name: string): string[] {
  if (name === '-' || statSync(name, { throwIfNoEntry: false })?.isDirectory() !== true) return [name];
  return readdirSync(name, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ya?ml|json)$/.test(entry.name))
    .map((entry) => join(name, entry.name))
    .sort();
}

function readFile(name: string): ConfigFile {
  const shown = name === '-' ? 'standard input' : name;
  const { text, error } = decodeText(readBytes(name));
  if (error !== null) throw new CommandError(`${shown}: ${error.message}`);
  const parsed = parseText(text.startsWith('\ufeff') ? text.slice(1) : text, name);
  if ('problems' in parsed) {
    const lines = parsed.problems.map(({ message, position }) =>
      position === null ? `${shown}: ${message}` : `${shown}:${position.line}:${position.column}: ${message}`,
    );
    throw new CommandError(lines.join('\n'));
  }
  if (!isObject(parsed.value)) throw new CommandError(`${shown}: expected a declarative configuration`);
  return { name: shown, values: parsed.value };
}

export function readBytes(name: string): Buffer {
  try {
    return readFileSync(name === '-' ? 0 : name);
  } catch (error) {
    throw new CommandError(`cannot read ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function checkHead({ name, values }: ConfigFile): void {
  const problem = headProblem(values);
  if (problem !== null) throw new CommandError(`${name}: ${problem}`);
}

/** What of decK's keys has no meaning here; null: nothing. */
export function headProblem(values: Values): string | null {
  const version = values['_format_version'];
  if (!VERSIONS.has(version)) {
    return version === undefined
      ? '_format_version: required field missing'
      : `_format_version: expected one of: ${[...VERSIONS].join(', ')}`;
  }
  if (values['_konnect'] !== undefined && values['_konnect'] !== null) {
    return '_konnect: this file is for Kong Konnect; a control plane there is no Admin API that can be configured here';
  }
  const workspace = values['_workspace'];
  if (workspace !== undefined && workspace !== null && workspace !== 'default') {
    return `_workspace: ${JSON.stringify(workspace)}: there is one workspace, default`;
  }
  return null;
}

/** Shared configs of plugins laid under their own, and paths of earlier versions written as of 3.0. */
function worked({ name, values }: ConfigFile): ConfigFile {
  const shared = isObject(values['_plugin_configs']) ? values['_plugin_configs'] : {};
  const old = values['_format_version'] !== '3.0';
  try {
    return { name, values: rewrite(values, shared, old) };
  } catch (error) {
    if (error instanceof MissingConfig) throw new CommandError(`${name}: ${error.message}`);
    throw error;
  }
}

export class MissingConfig extends Error {}

/** Lists in which entities stand, at the top and nested, that plugins or routes may be in. */
const HOLDERS = ['services', 'routes', 'consumers', 'consumer_groups', 'plugins'] as const;

/** @throws MissingConfig */
export function rewrite(holder: Values, shared: Values, oldPaths: boolean): Record<string, unknown> {
  const result: Record<string, unknown> = { ...holder };
  for (const key of HOLDERS) {
    const list = holder[key];
    if (!Array.isArray(list)) continue;
    result[key] = list.map((one: unknown) => {
      if (!isObject(one)) return one;
      const inner = rewrite(one, shared, oldPaths);
      if (key === 'plugins') return withSharedConfig(inner, shared);
      if (key === 'routes' && oldPaths) migratePaths(inner);
      return inner;
    });
  }
  return result;
}

function migratePaths(route: Record<string, unknown>): void {
  const { paths } = route;
  if (!Array.isArray(paths)) return;
  route['paths'] = paths.map((path: unknown) => (typeof path === 'string' ? migratePath(path) : path));
}

function withSharedConfig(plugin: Values, shared: Values): Values {
  if (!Object.hasOwn(plugin, '_config')) return plugin;
  const { _config: name, ...rest } = plugin;
  const base = typeof name === 'string' && Object.hasOwn(shared, name) ? shared[name] : undefined;
  if (!isObject(base)) {
    throw new MissingConfig(
      `plugin '${String(plugin['name'])}': _config: nothing named ${JSON.stringify(name)} in _plugin_configs`,
    );
  }
  const own = isObject(plugin['config']) ? plugin['config'] : {};
  return { ...rest, config: { ...base, ...own } };
}

function oneSelection(files: readonly ConfigFile[], infos: readonly Values[]): readonly string[] {
  let chosen: readonly string[] | null = null;
  for (const [index, { select_tags: tags }] of infos.entries()) {
    if (tags === undefined || tags === null) continue;
    if (!Array.isArray(tags) || tags.some((tag) => typeof tag !== 'string')) {
      throw new CommandError(`${String(files[index]?.name)}: _info.select_tags: expected a list of strings`);
    }
    if (chosen !== null && [...chosen].sort().join() !== [...(tags as string[])].sort().join()) {
      throw new CommandError('the files have different _info.select_tags: sync them one by one');
    }
    chosen = tags as string[];
  }
  return chosen ?? [];
}

function oneTransform(files: readonly ConfigFile[]): boolean {
  const said = new Set(files.map(({ values }) => values['_transform'] !== false));
  if (said.size > 1)
    throw new CommandError('some of the files say _transform: false, and some do not: sync them apart');
  return !said.has(false);
}
