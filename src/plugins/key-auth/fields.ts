/**
 * Fields of a request body, found by name and cut out again: forms, multipart forms and JSON objects. The rest of the body is
 * left as the client wrote it, octet for octet: numbers and orders survive, which parsing and printing again would not grant.
 */
import { textOfHeader } from '../common/header-value.ts';
import { jsonFields, withoutJsonFields } from './json-fields.ts';
import { multipartFields, withoutMultipartFields } from './multipart-fields.ts';

/** One field of that name. */
export interface BodyField {
  /** Null: it is no text (a number, an object). */
  readonly value: string | null;
  /** It is a list or an object: several values, as Kong counts. */
  readonly many: boolean;
}

export type BodyForm = 'form' | 'multipart' | 'json';

/** Null: a kind of body in which nobody looks for a key. */
export function bodyForm(contentType: string | undefined): BodyForm | null {
  if (contentType === undefined) return null;
  const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (type === 'application/x-www-form-urlencoded') return 'form';
  if (type === 'multipart/form-data') return 'multipart';
  return type === 'application/json' ? 'json' : null;
}

/** All fields of that name, in order; none when the body is not what it says it is. */
export function fieldsNamed(body: Buffer, contentType: string, name: string): readonly BodyField[] {
  switch (bodyForm(contentType)) {
    case 'form':
      return formFields(body, name);
    case 'multipart':
      return multipartFields(body, contentType, name);
    case 'json':
      return jsonFields(body, name);
    default:
      return [];
  }
}

/** The body without the fields of that name; itself when it has none. */
export function withoutFields(body: Buffer, contentType: string, name: string): Buffer {
  switch (bodyForm(contentType)) {
    case 'form':
      return Buffer.from(withoutArgument(body.toString('latin1'), name), 'latin1');
    case 'multipart':
      return withoutMultipartFields(body, contentType, name);
    case 'json':
      return withoutJsonFields(body, name);
    default:
      return body;
  }
}

function formFields(body: Buffer, name: string): BodyField[] {
  const fields: BodyField[] = [];
  for (const pair of body.toString('latin1').split('&')) {
    const equals = pair.indexOf('=');
    if (decodeForm(equals < 0 ? pair : pair.slice(0, equals)) !== name) continue;
    if (pair !== '')
      fields.push({ value: equals < 0 ? null : decodeForm(pair.slice(equals + 1)), many: false });
  }
  return fields;
}

/** From Latin-1. `+` is a space; what is no proper escape stays as it is. */
function decodeForm(text: string): string {
  const spaced = textOfHeader(text.includes('+') ? text.replaceAll('+', ' ') : text);
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** A query without the arguments of that name; the others stay as they were written. */
export function withoutArgument(query: string, name: string): string {
  return query
    .split('&')
    .filter((pair) => decodeForm(pair.split('=', 1)[0] ?? '') !== name)
    .join('&');
}
