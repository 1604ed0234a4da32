/**
 * The body of a write → the values of an entity. JSON is taken as it is; forms are nested by their names and typed by
 * the entity's fields. As in Kong (since 2.0) arguments of the query are no values of the entity.
 */
import { isUtf8 } from 'node:buffer';
import type { EntityDefinition, RouterFlavor, Values } from '../../../entities/schema/field.ts';
import { readBody } from '../body.ts';
import { RequestError } from '../request-error.ts';
import type { AdminContext } from '../resource.ts';
import { bodyType } from './content-type.ts';
import { type Argument, MAX_ARGUMENTS, parseForm } from './form.ts';
import { inferEntity } from './infer.ts';
import { parseObject } from './json-text.ts';
import { nest } from './names.ts';

/** What is stored already, for a form that does not say its variant. */
export type Stored = () => Values | null | Promise<Values | null>;

interface ArgumentOptions {
  /** Octets; 0 is unlimited. */
  readonly limit: number;
  readonly definition: EntityDefinition;
  readonly flavor: RouterFlavor;
  readonly stored: Stored;
}

const ACCEPTED: ReadonlySet<string> = new Set([
  'application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
]);

/** @throws RequestError, TooLarge */
export async function readArguments(context: AdminContext, options: ArgumentOptions): Promise<Values> {
  const type = bodyType(context, ACCEPTED);
  if (type === null) return {};
  const body = await readBody(context.req.raw, options.limit);
  if (type === 'application/json') {
    const values = parseObject(body);
    if (values === null) throw new RequestError(400, 'Cannot parse JSON body');
    return values;
  }
  if (!isUtf8(body)) throw new RequestError(400, 'the body is not UTF-8');
  const list =
    type === 'multipart/form-data'
      ? await parseMultipart(body, context.req.header('content-type') ?? '')
      : parseForm(Buffer.from(body).toString('utf8'));
  if (list === null) throw new RequestError(400, 'the body is not UTF-8');
  if (list.length > MAX_ARGUMENTS) throw new RequestError(400, 'Too many arguments');
  return await typed(nest(list), options);
}

async function typed(input: Values, { definition, flavor, stored }: ArgumentOptions): Promise<Values> {
  const key = definition.subschema_key;
  if (key === undefined || Object.hasOwn(input, key)) return inferEntity(input, definition, flavor, null);
  return inferEntity(input, definition, flavor, { [key]: (await stored())?.[key] });
}

/** Before they are parsed, since each costs much. A boundary within a value ends it, so none is counted that is none. */
function hasManyParts(body: Uint8Array<ArrayBuffer>, contentType: string): boolean {
  const boundary = /;\s*boundary="?([^\s";]+)/i.exec(contentType)?.[1];
  if (boundary === undefined) return false;
  const octets = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const line = `--${boundary}\r\n`;
  let count = 0;
  for (let at = octets.indexOf(line); at >= 0; at = octets.indexOf(line, at + 1)) {
    if (++count > MAX_ARGUMENTS) return true;
  }
  return false;
}

async function parseMultipart(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<Argument[]> {
  if (body.length === 0) return [];
  if (hasManyParts(body, contentType)) throw new RequestError(400, 'Too many arguments');
  let form: FormData;
  try {
    form = await new Response(body, { headers: { 'content-type': contentType } }).formData();
  } catch {
    throw new RequestError(400, 'Cannot parse multipart body');
  }
  const list: Argument[] = [];
  for (const [name, value] of form) {
    if (list.length > MAX_ARGUMENTS) break;
    // A file is its text: certificates are sent so.
    list.push([name, typeof value === 'string' ? value : await value.text()]);
  }
  return list;
}
