/** Header fields that every answer of the admin and status listeners has. */
import { KONG_VERSION, VERSION } from '../../lib/version.ts';
import type { Settings } from '../../settings/settings.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Kong's `headers` setting decides which of its own there are. */
export function kongHeaders(settings: Settings, milliseconds: number): Array<[name: string, value: string]> {
  const { headers, server_name } = settings;
  const fields: Array<[string, string]> = [['Vary', 'Origin']];
  if (headers.has('server')) {
    fields.push(['Server', server_name === 'kong' ? `kong/${KONG_VERSION}` : `sluice/${VERSION}`]);
  }
  if (headers.has('x-kong-admin-latency')) {
    fields.push(['X-Kong-Admin-Latency', String(Math.round(milliseconds))]);
  }
  return fields;
}
