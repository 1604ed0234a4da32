/** Errors of a declarative configuration → lines for people and Kong's error body (code 14). */
import type { FieldsTree } from '../entities/schema/issue.ts';
import type { DeclarativeError } from '../store/file/declarative.ts';
import { errorFields, flattenErrors, renderErrors } from '../store/file/render.ts';
import type { CompileFailure } from './compile-job.ts';

/** @param flatten Kong's `flatten_errors`: errors of entities stand in `flattened_errors`, the others in `fields`. */
export function compileFailure(
  errors: readonly DeclarativeError[],
  name: string,
  flatten: boolean,
): CompileFailure {
  const shown = flatten ? errors.filter(({ entity }) => entity === undefined) : errors;
  const fields = shown.length === 0 ? {} : errorFields(shown);
  const body = {
    code: 14,
    name: 'invalid declarative configuration',
    message: `declarative config is invalid: ${luaTable(fields)}`,
    fields,
    ...(flatten ? { flattened_errors: flattenErrors(errors) } : {}),
  };
  return { ok: false, status: 400, lines: renderErrors(errors, name), body: JSON.stringify(body) };
}

/** A tree of messages as Kong's message shows it: a Lua table on one line. */
function luaTable(value: FieldsTree[string] | FieldsTree): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) {
    const holes = value.includes(null);
    const items = value.map((item, index) =>
      item === null ? '' : `${holes ? `[${index + 1}]=` : ''}${luaTable(item)}`,
    );
    return `{${items.filter((item) => item !== '').join(',')}}`;
  }
  const members = Object.entries(value).map(([key, item]) => {
    const name = /^[A-Za-z_]\w*$/.test(key) ? key : `[${JSON.stringify(key)}]`;
    return `${name}=${luaTable(item)}`;
  });
  return `{${members.join(',')}}`;
}
