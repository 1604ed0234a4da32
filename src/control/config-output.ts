/** A configuration image in Kong's output forms: the answer of `POST /config`, and the file of `GET /config`. */
import { dump } from 'js-yaml';
import type { Route } from '../entities/route.ts';
import type { Service } from '../entities/service.ts';
import { readImage } from '../snapshot/image.ts';
import { PRINT_SCHEMA } from '../store/file/yaml-schema.ts';

/** `{"services":{"<id>":{…}},"routes":{…}}` with every field, unset ones null. */
export function entitiesJson(image: SharedArrayBuffer): string {
  const services: string[] = [];
  const routes: string[] = [];
  for (const { kind, entity } of entities(image)) {
    (kind === 'service' ? services : routes).push(`${JSON.stringify(entity.id)}:${JSON.stringify(entity)}`);
  }
  const parts: string[] = [];
  if (routes.length > 0) parts.push(`"routes":{${routes.join(',')}}`);
  if (services.length > 0) parts.push(`"services":{${services.join(',')}}`);
  return `{${parts.join(',')}}`;
}

/** The answer of `GET /config`. */
export function configYaml(image: SharedArrayBuffer | null): string {
  return dump(declarativeFile(image), { schema: PRINT_SCHEMA });
}

/**
 * A declarative file as Kong exports one: flat, references as ids, unset fields left out, `_transform` off since
 * nothing is to be hashed a second time.
 */
function declarativeFile(image: SharedArrayBuffer | null): Record<string, unknown> {
  const file: Record<string, unknown> = { _format_version: '3.0', _transform: false };
  if (image === null) return file;
  const services: object[] = [];
  const routes: object[] = [];
  for (const { kind, entity } of entities(image)) {
    (kind === 'service' ? services : routes).push(exported(entity));
  }
  if (routes.length > 0) file['routes'] = routes;
  if (services.length > 0) file['services'] = services;
  return file;
}

interface ImageEntity {
  readonly kind: 'service' | 'route';
  readonly entity: Service | Route;
}

function* entities(image: SharedArrayBuffer): Generator<ImageEntity> {
  for (const record of readImage(image).records()) {
    if (record.op === 'put') yield { kind: record.kind, entity: record.entity };
  }
}

/** References to one entity are exported as its id; unset fields are not. */
function exported(entity: object): object {
  return Object.fromEntries(
    Object.entries(entity)
      .filter(([, value]) => value !== null)
      .map(([name, value]: [string, unknown]) => [name, isReference(value) ? value.id : value]),
  );
}

function isReference(value: unknown): value is { id: string } {
  return typeof value === 'object' && value !== null && 'id' in value && Object.keys(value).length === 1;
}
