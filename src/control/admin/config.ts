/**
 * `/config` (Admin API without a database): GET answers the configuration that is served as a declarative file, POST
 * replaces it as a whole. The body is bounded here and read by the compiler thread.
 */
import type { ReloadResult } from '../reload-result.ts';
import type { Gateway } from '../gateway.ts';
import { CONFIG_MEDIA_TYPES, mediaType } from '../config-body.ts';
import { WHOLE, denial } from '../access/principal.ts';
import { TooLarge, readBody } from './body.ts';
import { contentTypes } from './body/content-type.ts';
import { type AdminContext, type Methods, empty, json, jsonText, warningField } from './resource.ts';

/** Seconds. */
const RETRY_AFTER = '5';

export function config(gateway: Gateway): Methods {
  const here = (): boolean => gateway.reloader.settings.database === 'off';
  return {
    GET: (context) => (here() ? dump(gateway, context) : withDatabase()),
    POST: (context) => (here() ? replace(gateway, context) : withDatabase()),
  };
}

function withDatabase(): Response {
  return json(400, {
    message: 'this endpoint is only available when Kong is configured to not use a database',
  });
}

async function dump({ reloader }: Gateway, context: AdminContext): Promise<Response> {
  const action = { operation: 'read', kind: WHOLE, secrets: true } as const;
  const denied = denial(context.get('principal'), action);
  if (denied !== null) return json(403, { message: denied });
  const dumped = await reloader.dump();
  return dumped.ok ? json(200, { config: dumped.text }) : jsonText(dumped.status, dumped.body);
}

async function replace({ reloader, life }: Gateway, context: AdminContext): Promise<Response> {
  if (life.state !== 'running') return json(503, { message: 'exiting' });
  const contentType = context.req.header('content-type') ?? '';
  if (contentTypes(context) > 1) return json(400, { message: 'only one Content-Type is allowed' });
  if (contentType !== '' && !CONFIG_MEDIA_TYPES.has(mediaType(contentType))) return empty(415);
  let body: Uint8Array;
  try {
    body = await readBody(context.req.raw, reloader.settings.nginx_admin_client_max_body_size);
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    return json(413, { message: 'Payload too large' }, { connection: 'close' });
  }
  const flattenErrors = isTrue(context.req.query('flatten_errors'));
  const result = await reloader.replace({ kind: 'body', body, contentType }, { flattenErrors });
  return answer(result, isTrue(context.req.query('check_hash')));
}

function answer(result: ReloadResult, checkHash: boolean): Response {
  if (!result.ok) {
    return jsonText(result.status, result.body, result.status === 429 ? { 'retry-after': RETRY_AFTER } : {});
  }
  if (result.unchanged && checkHash) return empty(304);
  const headers = result.warnings.length === 0 ? {} : { warning: warningField(result.warnings) };
  return jsonText(201, result.entities ?? '{}', headers);
}

/** Kong's reading of a flag in a query. */
function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(?:1|true|on|yes)$/i.test(value);
}
