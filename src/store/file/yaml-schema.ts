/**
 * Which plain YAML scalars are not strings: as lyaml reads them, which is what Kong loads files with.
 *
 * lyaml is YAML 1.1 with differences: `yes`, `no`, `on` and `off` are booleans but `y` and `n` are strings; there are
 * no timestamps; integers may be octal (`010` is 8), binary, hexadecimal and sexagesimal (`1:30` is 90), and digits
 * may be grouped with `_`. Merge keys (`<<`) work. Explicit tags other than the core ones are refused.
 */
import {
  defineScalarTag,
  DUMP_SCHEMA,
  FAILSAFE_SCHEMA,
  mergeTag,
  NOT_RESOLVED,
  nullCoreTag,
  type Schema,
} from 'js-yaml';

const BOOLEANS: ReadonlyMap<string, boolean> = new Map(
  (['true', 'yes', 'on', 'false', 'no', 'off'] as const).flatMap((word, index) => {
    const title = word.charAt(0).toUpperCase() + word.slice(1);
    return [word, title, word.toUpperCase()].map((text) => [text, index < 3] as const);
  }),
);

const boolTag = defineScalarTag<boolean>('tag:yaml.org,2002:bool', {
  implicit: true,
  implicitFirstChars: 'tTfFyYnNoO'.split(''),
  resolve: (source) => BOOLEANS.get(source) ?? NOT_RESOLVED,
  identify: (data) => typeof data === 'boolean',
});

const INTEGERS: ReadonlyArray<readonly [RegExp, (digits: string) => number]> = [
  [/^0b_*[01][01_]*$/, (text) => Number.parseInt(text.slice(2), 2)],
  [/^0_*[0-7][0-7_]*$/, (text) => Number.parseInt(text, 8)],
  [/^0x_*[0-9a-fA-F][0-9a-fA-F_]*$/, Number],
  [/^_*[0-9][0-9_]*$/, Number],
  [/^[0-9]+(?::[0-5]?[0-9])+$/, (text) => text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)],
];

function parseInteger(source: string): number | typeof NOT_RESOLVED {
  const sign = source.startsWith('-') ? -1 : 1;
  const digits = source.startsWith('-') || source.startsWith('+') ? source.slice(1) : source;
  for (const [pattern, parse] of INTEGERS) {
    if (pattern.test(digits)) return sign * parse(digits.replaceAll('_', ''));
  }
  return NOT_RESOLVED;
}

const integerTag = defineScalarTag<number>('tag:yaml.org,2002:int', {
  implicit: true,
  implicitFirstChars: '+-_0123456789'.split(''),
  resolve: parseInteger,
  identify: (data) => Number.isInteger(data),
});

const FLOAT = /^[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?$/;
const INFINITY = /^[+-]?\.(?:inf|Inf|INF)$/;
const NAN = /^\.(?:nan|NaN|NAN)$/;

function parseFloatingPoint(source: string): number | typeof NOT_RESOLVED {
  if (FLOAT.test(source) && /[.eE]/.test(source)) return Number(source.replaceAll('_', ''));
  if (INFINITY.test(source)) return source.startsWith('-') ? -Infinity : Infinity;
  return NAN.test(source) ? Number.NaN : NOT_RESOLVED;
}

const floatTag = defineScalarTag<number>('tag:yaml.org,2002:float', {
  implicit: true,
  implicitFirstChars: '+-.0123456789'.split(''),
  resolve: parseFloatingPoint,
  identify: (data) => typeof data === 'number',
});

/** For loading only. */
export const LYAML_SCHEMA: Schema = FAILSAFE_SCHEMA.withTags(
  nullCoreTag,
  boolTag,
  integerTag,
  floatTag,
  mergeTag,
);

const lyamlNumberTag = defineScalarTag<number>('tag:sluice,2026:lyaml-number', {
  implicit: true,
  implicitFirstChars: '+-._0123456789'.split(''),
  resolve: (source) => {
    const integer = parseInteger(source);
    return integer === NOT_RESOLVED ? parseFloatingPoint(source) : integer;
  },
  identify: () => false,
});

/** For printing: a string that some YAML would read as something else is quoted, also when only lyaml would (`_1`). */
export const PRINT_SCHEMA: Schema = DUMP_SCHEMA.withTags(lyamlNumberTag);
