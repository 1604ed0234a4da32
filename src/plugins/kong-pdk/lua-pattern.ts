/** Lua's patterns (Reference Manual 5.1, §5.4.1) as regular expressions, as far as those can say the same. */

const CLASSES: Readonly<Record<string, string>> = {
  a: 'A-Za-z',
  c: '\\x00-\\x1f\\x7f',
  d: '0-9',
  l: 'a-z',
  p: '!-\\/:-@\\[-`{-~',
  s: '\\t-\\r ',
  u: 'A-Z',
  w: 'A-Za-z0-9',
  x: '0-9A-Fa-f',
};

/** @throws TypeError for `%b`, `%f` and references back. */
export function luaPattern(pattern: string, at: string): RegExp {
  let made = '';
  let index = 0;
  if (pattern.startsWith('^')) {
    made = '^';
    index = 1;
  }
  while (index < pattern.length) {
    const char = pattern[index] as string;
    if (char === '$' && index === pattern.length - 1) {
      made += '$';
      index++;
    } else if (char === '(' || char === ')') {
      made += char;
      index++;
    } else {
      const [atom, next] = char === '[' ? setAt(pattern, index, at) : atomAt(pattern, index, at);
      made += atom;
      index = next;
      const repeat = pattern[index];
      if (repeat !== undefined && '*+?-'.includes(repeat)) {
        made += repeat === '-' ? '*?' : repeat;
        index++;
      }
    }
  }
  return new RegExp(made, 's');
}

function atomAt(pattern: string, index: number, at: string): readonly [string, number] {
  const char = pattern[index] as string;
  if (char === '.') return ['.', index + 1];
  if (char !== '%') return [escaped(char), index + 1];
  return [`[${classAt(pattern, index, at)}]`.replace(/^\[\^\[(.*)\]\]$/s, '[^$1]'), index + 2];
}

/** Behind a `%`. */
function classAt(pattern: string, index: number, at: string): string {
  const letter = pattern[index + 1] ?? '';
  if (/^[bf0-9]?$/.test(letter)) throw new TypeError(`${at}: '%${letter}' of a pattern is not supported`);
  const found = CLASSES[letter.toLowerCase()];
  if (found === undefined) return escaped(letter);
  return letter === letter.toLowerCase() ? found : `^[${found}]`;
}

function setAt(pattern: string, from: number, at: string): readonly [string, number] {
  let index = from + 1;
  const isNegative = pattern[index] === '^';
  if (isNegative) index++;
  let made = '';
  for (let first = true; first || pattern[index] !== ']'; first = false) {
    const char = pattern[index];
    if (char === undefined) throw new TypeError(`${at}: a set of a pattern does not end`);
    if (char === '%') {
      const found = classAt(pattern, index, at);
      if (found.startsWith('^['))
        throw new TypeError(`${at}: '%${pattern[index + 1]}' in a set of a pattern is not supported`);
      made += found;
      index += 2;
    } else {
      made += char === '-' && !first && pattern[index + 1] !== ']' ? '-' : escaped(char);
      index++;
    }
  }
  return [`[${isNegative ? '^' : ''}${made}]`, index + 1];
}

function escaped(char: string): string {
  return /[\w\s]/.test(char) || char > '\x7f' ? char : `\\${char}`;
}
