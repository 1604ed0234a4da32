/**
 * kong.conf's syntax: `name = value` lines. `#` begins a comment anywhere in a line unless written `\#`; lines that
 * begin with `;` are comments; a backslash at the end of a line joins the next one. Quotes are part of the value, as in
 * Kong. The last of two lines with the same name wins, which is worth a warning.
 */

export interface ConfEntry {
  readonly name: string;
  /** Trimmed; empty stands for the default. */
  readonly value: string;
  /** 1-based. */
  readonly line: number;
}

export interface ConfProblem {
  readonly line: number;
  readonly message: string;
}

export interface ConfFile {
  readonly entries: readonly ConfEntry[];
  readonly errors: readonly ConfProblem[];
  readonly warnings: readonly ConfProblem[];
}

export function parseConf(source: string): ConfFile {
  const entries = new Map<string, ConfEntry>();
  const errors: ConfProblem[] = [];
  const warnings: ConfProblem[] = [];
  for (const { line, text } of logicalLines(source)) {
    const stripped = stripComment(text).trim();
    if (stripped === '' || stripped.startsWith(';')) continue;
    const equals = stripped.indexOf('=');
    const name = stripped.slice(0, Math.max(equals, 0)).trim();
    if (equals === -1 || !/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)) {
      errors.push({ line, message: `expected 'name = value', found '${abbreviate(stripped)}'` });
      continue;
    }
    const earlier = entries.get(name);
    if (earlier !== undefined) {
      warnings.push({ line, message: `${name} was already set in line ${earlier.line}; this line wins` });
    }
    entries.set(name, { name, value: stripped.slice(equals + 1).trim(), line });
  }
  return { entries: [...entries.values()], errors, warnings };
}

function* logicalLines(source: string): Generator<{ line: number; text: string }> {
  // A byte order mark is what Windows editors put before the first name.
  const lines = source.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  let start = 0;
  while (start < lines.length) {
    const parts: string[] = [];
    let next = start;
    for (; next < lines.length; next++) {
      const text = lines[next] ?? '';
      const continued = text.endsWith('\\') && next + 1 < lines.length && !/^\s*[#;]/.test(text);
      parts.push(continued ? text.slice(0, -1) : text);
      if (!continued) break;
    }
    yield { line: start + 1, text: parts.join('') };
    start = next + 1;
  }
}

function stripComment(text: string): string {
  const hash = text.search(/(?<!\\)#/);
  return (hash === -1 ? text : text.slice(0, hash)).replaceAll('\\#', '#');
}

function abbreviate(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
