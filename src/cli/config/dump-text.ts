/** A dump's text, entity by entity: what is written may be large, what is held is one entity's text. */
import { dump } from 'js-yaml';
import { PRINT_SCHEMA } from '../../store/file/yaml-schema.ts';
import type { Entity } from './state.ts';

export interface DumpHead {
  readonly selectTags: readonly string[];
  /** Passwords in it are hashed. */
  readonly hashed: boolean;
}

export type DumpKinds = Iterable<{ readonly name: string; readonly entities: Iterable<Entity> }>;

function headOf({ selectTags, hashed }: DumpHead): Record<string, unknown> {
  return {
    _format_version: '3.0',
    ...(hashed && { _transform: false }),
    ...(selectTags.length > 0 && { _info: { select_tags: [...selectTags].sort() } }),
  };
}

export function* yamlText(head: DumpHead, kinds: DumpKinds): Generator<string> {
  // Some YAML reads 3.0 as a number: quoted, as everybody writes it.
  yield yaml(headOf(head)).replace(/^_format_version: .*$/m, '_format_version: "3.0"');
  for (const { name, entities } of kinds) {
    const title = `${name}:\n`;
    yield title;
    for (const entity of entities) yield yaml({ [name]: [entity] }).slice(title.length);
  }
}

function yaml(value: unknown): string {
  return dump(value, { schema: PRINT_SCHEMA, lineWidth: -1, noRefs: true });
}

export function* jsonText(head: DumpHead, kinds: DumpKinds): Generator<string> {
  yield JSON.stringify(headOf(head), null, 2).replace(/\n\}$/, '');
  for (const { name, entities } of kinds) {
    yield `,\n  ${JSON.stringify(name)}: [`;
    let separator = '\n';
    for (const entity of entities) {
      yield separator + indented(JSON.stringify(entity, null, 2));
      separator = ',\n';
    }
    yield '\n  ]';
  }
  yield '\n}\n';
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
