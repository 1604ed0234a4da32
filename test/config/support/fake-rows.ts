/** The entities of the stand-in for a Kong (fake-kong.ts): in memory, validated by this gateway's own definitions. */
import { DEFINITIONS } from '../../../src/entities/registry.ts';
import { EntityValidator } from '../../../src/entities/schema/validate.ts';
import { schemaViolation, uniqueViolation } from '../../../src/store/errors.ts';

export type Entity = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

export const NOT_FOUND: Answer = { status: 404, body: { message: 'Not found' } };

const VALIDATORS = new Map(
  DEFINITIONS.map((definition) => [definition.name, new EntityValidator(definition)]),
);

const CORRELATION_DEFAULTS = {
  header_name: 'Kong-Request-ID',
  generator: 'uuid#counter',
  echo_downstream: false,
};

export class FakeRows {
  readonly entities = new Map<string, Map<string, Entity>>(DEFINITIONS.map(({ name }) => [name, new Map()]));

  list(kind: string): Entity[] {
    return [...(this.entities.get(kind)?.values() ?? [])];
  }

  find(kind: string, name: string): Entity | null {
    const list = this.entities.get(kind);
    const key = DEFINITIONS.find((definition) => definition.name === kind)?.endpoint_key;
    const byKey = (): Entity | undefined =>
      list?.values().find((one) => key !== undefined && one[key] === name);
    return list?.get(name) ?? byKey() ?? null;
  }

  page(kind: string, url: URL, within: Entity): Answer {
    const size = Number(url.searchParams.get('size') ?? 100);
    if (size > 1000)
      return { status: 400, body: { code: 9, message: 'size must be an integer between 1 and 1000' } };
    const tags = url.searchParams.get('tags')?.split(',') ?? [];
    const after = Buffer.from(url.searchParams.get('offset') ?? '', 'base64').toString();
    const [field] = Object.keys(within);
    const parent = field === undefined ? null : (within[field] as Entity)['id'];
    const found = this.list(kind)
      .filter((one) => field === undefined || (one[field] as Entity)['id'] === parent)
      .filter((one) => tags.every((tag) => ((one['tags'] ?? []) as string[]).includes(tag)))
      .sort((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1))
      .filter((one) => String(one['id']) > after);
    const data = found.slice(0, size);
    const offset = Buffer.from(String(data.at(-1)?.['id'])).toString('base64');
    return { status: 200, body: { data, next: null, ...(found.length > size && { offset }) } };
  }

  write(kind: string, input: Entity, status = 200): Answer {
    const validator = VALIDATORS.get(kind);
    const definition = validator?.definition;
    if (validator === undefined || definition === undefined) return NOT_FOUND;
    const context = { flavor: 'traditional_compatible', now: Math.floor(Date.now() / 1000) } as const;
    const { entity, issues } = validator.validate({ input }, context);
    if (issues !== null) return { status: 400, body: schemaViolation(issues).toBody() };
    if (
      kind !== 'basicauth_credentials' ||
      input['password'] !== this.entities.get(kind)?.get(String(input['id']))?.['password']
    ) {
      definition.transform?.(entity);
    }
    if (kind === 'plugins' && entity['name'] === 'correlation-id') {
      entity['config'] = { ...CORRELATION_DEFAULTS, ...(entity['config'] as Entity | null) };
    }
    const key = definition.endpoint_key;
    const taken = this.list(kind).find(
      (one) =>
        key !== undefined &&
        kind !== 'targets' &&
        one[key] === entity[key] &&
        one[key] !== null &&
        one['id'] !== entity['id'],
    );
    if (taken !== undefined)
      return { status: 409, body: uniqueViolation({ [String(key)]: entity[String(key)] }).toBody() };
    this.entities.get(kind)?.set(String(entity['id']), entity);
    return { status, body: entity };
  }

  remove(kind: string, stored: Entity | null): Answer {
    if (stored === null) return { status: 204 };
    const id = stored['id'];
    for (const { name, fields } of DEFINITIONS) {
      for (const child of this.list(name)) {
        for (const [field, description] of Object.entries(fields)) {
          if (description.type !== 'foreign' || (child[field] as Entity | null)?.['id'] !== id) continue;
          if (description.on_delete !== 'cascade') {
            return {
              status: 400,
              body: { code: 4, message: `an existing '${name}' entity references this '${kind}' entity` },
            };
          }
          this.entities.get(name)?.delete(String(child['id']));
        }
      }
    }
    this.entities.get(kind)?.delete(String(id));
    return { status: 204 };
  }
}
