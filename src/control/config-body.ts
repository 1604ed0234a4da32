/**
 * Body of `POST /config` → the text of a declarative configuration (Kong's rules for it).
 *
 * JSON with `_format_version`, or YAML or JSON as it is, or a field `config` that holds the text, in JSON, a form or
 * a multipart form. Runs in the compiler thread: a body may be large.
 */
export type ConfigText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string };

/** Media types that `POST /config` takes; without a Content-Type the body is read as it is. */
export const CONFIG_MEDIA_TYPES: ReadonlySet<string> = new Set([
  'application/json',
  'application/yaml',
  'text/yaml',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
]);

const NOTHING: ConfigText = { ok: false, message: 'expected a declarative configuration' };

/** The type of a Content-Type field, without parameters, in lower case. */
export function mediaType(contentType: string): string {
  return contentType.split(';', 1)[0]!.trim().toLowerCase();
}

export async function configText(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<ConfigText> {
  if (body.length === 0) return NOTHING;
  switch (mediaType(contentType)) {
    case 'application/json':
      return fromJson(decode(body));
    case 'application/x-www-form-urlencoded':
      return fromField(new URLSearchParams(decode(body)).get('config'));
    case 'multipart/form-data':
      return await fromMultipart(body, contentType);
    default:
      return { ok: true, text: decode(body) };
  }
}

function decode(body: Uint8Array): string {
  return new TextDecoder('utf-8').decode(body);
}

function fromJson(text: string): ConfigText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: 'Cannot parse JSON body' };
  }
  if (typeof value !== 'object' || value === null) return { ok: false, message: 'Cannot parse JSON body' };
  if (!('_format_version' in value) && 'config' in value && typeof value.config === 'string') {
    return fromField(value.config);
  }
  return { ok: true, text };
}

async function fromMultipart(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<ConfigText> {
  let value: unknown;
  try {
    const form = await new Response(body, { headers: { 'content-type': contentType } }).formData();
    value = form.get('config');
  } catch {
    return { ok: false, message: 'Cannot parse multipart body' };
  }
  if (value instanceof Blob) value = await value.text();
  return fromField(typeof value === 'string' ? value : null);
}

function fromField(text: string | null): ConfigText {
  return text === null || text === '' ? NOTHING : { ok: true, text };
}
