/**
 * Rules about the source tree that a linter does not know. Each is a function from the files to its violations:
 *
 * - layers: the folders of `src` import one way only (types too), and only packages that are installed with the gateway;
 * - no cycles between files at run time, no barrels, no exports that nobody imports;
 * - nothing in the repository names the folder that it lies in, or the registry that its packages came from.
 */
import { dirname, join, normalize } from 'node:path/posix';
import { exportedValues, importsOf, type Import } from './imports.ts';

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** Repository-relative path to text. */
export type Files = ReadonlyMap<string, string>;

/**
 * Lowest first. A folder imports from itself and from those in rows before its own; folders in one row do not know
 * each other, save for the pairs in `NEIGHBOURS`.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['lib'],
  ['zone'],
  ['entities'],
  ['settings'],
  ['router', 'balancer', 'wire', 'observe'],
  ['plugins', 'snapshot', 'store'],
  ['proxy'],
  ['control'],
  ['cli'],
];

/** Allowed beside the rows: a snapshot is compiled from what a store holds, with the chains of the plugins. */
const NEIGHBOURS: ReadonlySet<string> = new Set(['snapshot>store', 'snapshot>plugins']);

/** Forbidden although the rows would allow it. */
const NEVER: ReadonlySet<string> = new Set(['proxy>store']);

const isTest = (file: string): boolean => file.endsWith('.test.ts') || !file.startsWith('src/');

function target(from: string, specifier: string): string | null {
  return specifier.startsWith('.') ? normalize(join(dirname(from), specifier)) : null;
}

/** What describes plugins' configurations lies with the plugins and belongs to the entities. */
const PLUGIN_SCHEMA = /^src\/plugins\/(?:schemas|[^/]+\/schema)\.ts$/;

/** `router` for src/router/x.ts, `''` for a file in src itself, null outside. */
function layerOf(file: string): string | null {
  if (PLUGIN_SCHEMA.test(file)) return 'entities';
  const parts = file.split('/');
  if (parts[0] !== 'src') return null;
  return parts.length > 2 ? (parts[1] ?? '') : '';
}

function layerProblem(from: string, to: string): string | null {
  const above = layerOf(from);
  const below = layerOf(to);
  if (below === null) return `src may not import ${to}, which is outside`;
  if (to.endsWith('.test.ts')) return 'a test file may not be imported';
  if (above === below) return null;
  if (above === '' || above === null) return null;
  const rowAbove = LAYERS.findIndex((row) => row.includes(above));
  const rowBelow = LAYERS.findIndex((row) => row.includes(below));
  if (rowAbove < 0) return `src/${above} is not in the list of layers`;
  if (rowBelow < 0) return `src/${below} is not in the list of layers`;
  const pair = `${above}>${below}`;
  const upward = rowBelow >= rowAbove && !NEIGHBOURS.has(pair);
  return upward || NEVER.has(pair) ? `${above}/ may not import ${below}/` : null;
}

function forImports(files: Files, look: (file: string, found: Import) => string | null): Violation[] {
  const violations: Violation[] = [];
  for (const [file, source] of files) {
    if (!file.endsWith('.ts') || isTest(file)) continue;
    for (const found of importsOf(source)) {
      const message = look(file, found);
      if (message !== null) violations.push({ file, line: found.line, message });
    }
  }
  return violations;
}

export function checkLayers(files: Files): Violation[] {
  return forImports(files, (file, found) => {
    const to = target(file, found.specifier);
    return to === null ? null : layerProblem(file, to);
  });
}

/** Code that ships may import only Node's modules and the package's own dependencies. */
export function checkPackages(files: Files): Violation[] {
  const manifest = JSON.parse(files.get('package.json') ?? '{}') as { dependencies?: Record<string, string> };
  const allowed = new Set(Object.keys(manifest.dependencies ?? {}));
  return forImports(files, (_file, { specifier }) => {
    if (specifier.startsWith('.') || specifier.startsWith('node:')) return null;
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    // Texts of plugins that are written for users.
    if (name === 'sluice') return null;
    return allowed.has(name) ? null : `${name} is not among the dependencies of package.json`;
  });
}

/**
 * Cycles of what is loaded: the order of loading would decide whether they work. Types may refer to each other, as
 * those of an exchange and of its stages do. Every cycle is reported once, where its first import (in
 * the order of the search) closes it.
 */
export function checkCycles(files: Files): Violation[] {
  const violations: Violation[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    path.push(file);
    for (const { specifier, line, typeOnly } of importsOf(files.get(file) ?? '')) {
      if (typeOnly) continue;
      const to = target(file, specifier);
      if (to === null || done.has(to) || !files.has(to)) continue;
      const start = path.indexOf(to);
      if (start < 0) visit(to);
      else violations.push({ file, line, message: `cycle: ${[...path.slice(start), to].join(' -> ')}` });
    }
    path.pop();
    done.add(file);
  };
  for (const file of files.keys()) if (file.endsWith('.ts') && !done.has(file)) visit(file);
  return violations;
}

/** What the package exports has to have one address; nobody inside imports from it. */
const PUBLIC_MODULE = 'src/plugins/public.ts';
/** Likewise: for tests of users' plugins. */
const PUBLIC_TESTING = 'src/cli/plugin-testing.ts';

/** A barrel is a file that only hands on what others export. */
export function checkBarrels(files: Files): Violation[] {
  const violations: Violation[] = [];
  for (const [file, source] of files) {
    if (!file.endsWith('.ts') || file === PUBLIC_MODULE) continue;
    const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
    const rest = code.replaceAll(
      /^(?:import|export)\s[^'"`;=()]*?from\s+'[^']+';?|^export\s*(?:type\s*)?\{[^}]*\};?/gm,
      '',
    );
    if (/^export\s/m.test(code) && rest.trim() === '') {
      violations.push({
        file,
        line: 1,
        message: 'only hands on what others export: import from where it is defined',
      });
    }
  }
  return violations;
}

export function checkUnusedExports(files: Files): Violation[] {
  const used = new Set<string>();
  for (const [file, source] of files) {
    if (!file.endsWith('.ts')) continue;
    for (const { specifier, names } of importsOf(source)) {
      const to = target(file, specifier);
      if (to !== null) for (const name of names) used.add(`${to}#${name}`);
    }
  }
  const violations: Violation[] = [];
  for (const [file, source] of files) {
    if (!file.endsWith('.ts') || isTest(file) || used.has(`${file}#*`) || file === PUBLIC_TESTING) continue;
    for (const { name, line } of exportedValues(source)) {
      if (!used.has(`${file}#${name}`)) violations.push({ file, line, message: `nobody imports ${name}` });
    }
  }
  return violations;
}

function linesWith(
  files: Files,
  wanted: (file: string) => boolean,
  text: RegExp,
  message: string,
): Violation[] {
  const violations: Violation[] = [];
  for (const [file, source] of files) {
    if (!wanted(file) || !text.test(source)) continue;
    for (const [index, line] of source.split('\n').entries()) {
      if (text.test(line)) violations.push({ file, line: index + 1, message });
    }
  }
  return violations;
}

/** Property tests draw the same cases in every run. */
export function checkSeeds(files: Files): Violation[] {
  const unseeded = (file: string): boolean => !`${file} ${files.get(file)}`.includes('fixed-seed.ts');
  return linesWith(files, unseeded, /^import .*'fast-check'/m, 'does not import test/support/fixed-seed.ts');
}

/** Nothing names the folder that this checkout lies in, and the lock file names no registry. */
export function checkPlaces(files: Files, root: string): Violation[] {
  const escaped = root.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return [
    ...linesWith(files, () => true, new RegExp(`${escaped}(?![\\w-])`), 'names the folder of this checkout'),
    ...linesWith(files, (file) => file === 'package-lock.json', /https?:.*\.tgz/, 'names a package registry'),
    ...linesWith(files, (file) => file === '.npmrc', /registry\s*=\s*http/, 'names a package registry'),
  ];
}
