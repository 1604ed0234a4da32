/**
 * The imports of a TypeScript file, read with a regular expression: enough because the formatter puts every static
 * import and export at the start of a line.
 */

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** From 1. */
  readonly line: number;
  /** Names taken from the other file, by their names there; `*` for all. Empty for side effects. */
  readonly names: readonly string[];
  /** Nothing of it is left when types are stripped. */
  readonly typeOnly: boolean;
}

const STATIC = /^(?:import|export)\s(?:type\s)?([^'"`;=()]*?)\s?from\s+'([^']+)'|^import\s+'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g;

function namesIn(clause: string): string[] {
  if (clause.includes('*')) return ['*'];
  const names: string[] = [];
  const braces = /\{([^}]*)\}/.exec(clause)?.[1] ?? '';
  for (const part of braces.split(',')) {
    const name =
      part
        .trim()
        .replace(/^type\s+/, '')
        .split(/\s+as\s+/)[0] ?? '';
    if (name !== '') names.push(name);
  }
  const outside = clause
    .replace(/\{[^}]*\}/, '')
    .replaceAll(',', '')
    .trim();
  if (outside !== '') names.push('default');
  return names;
}

function lineAt(source: string, index: number): number {
  return source.slice(0, index).split('\n').length;
}

export function importsOf(source: string): Import[] {
  const found: Import[] = [];
  for (const match of source.matchAll(STATIC)) {
    const specifier = match[2] ?? match[3] ?? '';
    const typeOnly = /^(?:import|export)\s+type\b/.test(match[0]);
    found.push({ specifier, line: lineAt(source, match.index), names: namesIn(match[1] ?? ''), typeOnly });
  }
  for (const match of source.matchAll(DYNAMIC)) {
    found.push({
      specifier: match[1] ?? '',
      line: lineAt(source, match.index),
      names: ['*'],
      typeOnly: false,
    });
  }
  return found;
}

/** Values that a file exports by name (types are left out), with their lines. */
export function exportedValues(source: string): { name: string; line: number }[] {
  const declaration = /^export\s+(?:async\s+)?(?:const|let|function\*?|class)\s+([\w$]+)/gm;
  return [...source.matchAll(declaration)].map((match) => ({
    name: match[1] ?? '',
    line: lineAt(source, match.index),
  }));
}
