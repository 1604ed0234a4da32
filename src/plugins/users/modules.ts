/**
 * The modules of users' plugins: TypeScript as it is, `sluice/plugin` from anywhere, and each version of a plugin with a
 * copy of its own of everything that it imports.
 *
 * An import of `a.ts?2` alone would bring the dependencies of the first version back, so a hook gives the version of whoever
 * imports to what is imported. Packages (`node_modules`) are shared by all versions: they change with a restart. The version
 * stands in the addresses of modules, and so in stacks: that is how an error finds its plugin (`blame.ts`).
 *
 * The first thread that reads a version keeps the texts of its modules, and all other threads are given those: a worker
 * that starts an hour later runs what was accepted, not what somebody is typing.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readFileSync } from '../../lib/node-fs.ts';
import { moduleUrl } from '../../lib/module-url.ts';
import type { PluginVersion, Sources } from './live.ts';

const PARAMETER = 'sluice-plugin';
/** Texts of a plugin's modules. */
const MAX_MODULES = 1000;
const MAX_CHARACTERS = 16 * 1024 * 1024;

interface Reading {
  readonly sources: Map<string, string>;
  characters: number;
}

const OWN: Readonly<Record<string, string>> = {
  'sluice/plugin': moduleUrl('../public', import.meta.url).href,
  'sluice/plugin-testing': moduleUrl('../../cli/plugin-testing', import.meta.url).href,
};

const readings = new Map<string, Reading>();
let hooked = false;

/** Once for each thread; from then on `sluice/plugin` is there for every module. */
export function hookModules(): void {
  if (hooked) return;
  hooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      const own = OWN[specifier];
      if (own !== undefined) return next(own, { ...context, parentURL: import.meta.url });
      const found = next(specifier, context);
      const version = versionOf(context.parentURL);
      if (version === null || !found.url.startsWith('file:') || found.url.includes('/node_modules/'))
        return found;
      return { ...found, url: versioned(found.url, version) };
    },
    load(url, context, next) {
      const version = url.startsWith('file:') ? versionOf(url) : null;
      if (version === null || !/\.[mc]?[jt]s$/.test(new URL(url).pathname)) return next(url, context);
      const source = sourceOf(fileURLToPath(new URL(url)), version);
      return { format: formatOf(url, source), source, shortCircuit: true };
    },
  });
}

/**
 * Imports one version of a plugin; the same one again is the same module.
 *
 * @param given texts that were accepted; null reads the files.
 * @returns what the module exports, and the texts it was made of.
 */
export async function importPlugin(
  { name, version, file }: PluginVersion,
  given: Sources | null,
): Promise<{ readonly module: Readonly<Record<string, unknown>>; readonly sources: Sources }> {
  hookModules();
  const id = `${name}.${version}`;
  let reading = readings.get(id);
  if (reading === undefined) readings.set(id, (reading = { sources: new Map(given), characters: 0 }));
  const url = versioned(pathToFileURL(file).href, id);
  const module = (await import(url)) as Readonly<Record<string, unknown>>;
  return { module, sources: reading.sources };
}

/** The texts of a version are not needed any more; its modules stay as long as the thread. */
export function forgetSources({ name, version }: Pick<PluginVersion, 'name' | 'version'>): void {
  readings.delete(`${name}.${version}`);
}

function sourceOf(path: string, version: string): string {
  const reading = readings.get(version);
  const known = reading?.sources.get(path);
  if (known !== undefined) return known;
  const text = readFileSync(path, 'utf8');
  if (reading === undefined) return text;
  reading.characters += text.length;
  if (reading.sources.size >= MAX_MODULES || reading.characters > MAX_CHARACTERS) {
    throw new Error(`a plugin may have ${MAX_MODULES} modules of ${MAX_CHARACTERS} characters in all`);
  }
  reading.sources.set(path, text);
  return text;
}

function versioned(url: string, version: string): string {
  const address = new URL(url);
  address.searchParams.set(PARAMETER, version);
  return address.href;
}

function versionOf(url: string | undefined): string | null {
  if (url === undefined || !url.includes(PARAMETER)) return null;
  return new URL(url).searchParams.get(PARAMETER);
}

/** What only CommonJS has, and what only ES modules have. */
const COMMONJS = /\bmodule\.exports\b|^\s*exports\.|\brequire\s*\(/m;
const ES_MODULE = /^\s*(?:import\b(?!\s*\()|export\b)/m;

/** Whatever a package.json near says: users' plugins are ES modules, unless they are plainly written as CommonJS. */
function formatOf(url: string, source: string): 'module' | 'module-typescript' | 'commonjs' {
  const { pathname } = new URL(url);
  if (/\.[mc]?ts$/.test(pathname)) return 'module-typescript';
  if (pathname.endsWith('.mjs')) return 'module';
  return COMMONJS.test(source) && !ES_MODULE.test(source) ? 'commonjs' : 'module';
}
