/** The options by which a command finds its Admin API. */
import { readFileSync } from 'node:fs';
import type { ParseArgsOptionsConfig } from 'node:util';
import {
  CommandError,
  EXIT_USAGE,
  type Invocation,
  listOption,
  secondsOption,
  stringOption,
} from '../command.ts';
import { AdminClient } from './admin-client.ts';

export const ADMIN_OPTIONS = {
  admin: { type: 'string' },
  token: { type: 'string' },
  header: { type: 'string', multiple: true },
  'tls-ca': { type: 'string' },
  'tls-skip-verify': { type: 'boolean' },
  timeout: { type: 'string' },
  parallel: { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

export const ADMIN_OPTIONS_HELP = `      --admin URL       the Admin API (default: SLUICE_ADMIN_URL, else
                        http://127.0.0.1:8001)
      --token TOKEN     bearer token (default: SLUICE_ADMIN_TOKEN)
      --header N:VALUE  a header to send, as often as needed
      --tls-ca FILE     authorities to trust, PEM
      --tls-skip-verify trust any certificate
      --timeout SECONDS how long an answer may take (default: 60)
      --parallel N      requests at once (default: 10)
  -h, --help            this text`;

const DEFAULT_ADMIN = 'http://127.0.0.1:8001';
const MAX_PARALLEL = 100;

/** @param given in place of `--admin`. */
export function adminClient(invocation: Invocation, given?: string): AdminClient {
  const { env } = invocation.terminal;
  const text = given ?? stringOption(invocation, 'admin') ?? env['SLUICE_ADMIN_URL'] ?? DEFAULT_ADMIN;
  const headers = headersOf('header', listOption(invocation, 'header'));
  const token = stringOption(invocation, 'token') ?? env['SLUICE_ADMIN_TOKEN'];
  if (token !== undefined && token !== '') headers['authorization'] = `Bearer ${token}`;
  return clientOf(invocation, text, headers);
}

/** Another Admin API than the one that the options are about: it gets no token of theirs. */
export function sourceClient(invocation: Invocation, url: string, headers: readonly string[]): AdminClient {
  return clientOf(invocation, url, headersOf('from-header', headers));
}

function clientOf(invocation: Invocation, text: string, headers: Record<string, string>): AdminClient {
  const url = parseUrl(text);
  if (url.username !== '' && headers['authorization'] === undefined) {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  const ca = stringOption(invocation, 'tls-ca');
  return new AdminClient({
    url,
    headers,
    ca: ca === undefined ? null : readText(ca),
    verify: invocation.options['tls-skip-verify'] !== true,
    timeout: secondsOption(invocation, 'timeout', 60) * 1000,
    parallel: countOption(invocation, 'parallel', 10, MAX_PARALLEL),
  });
}

function parseUrl(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new CommandError(`'${text}' is no address of an Admin API, such as ${DEFAULT_ADMIN}`, EXIT_USAGE);
}

function headersOf(option: string, lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*([^\r\n]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new CommandError(`--${option} takes NAME:VALUE, not '${line}'`, EXIT_USAGE);
    }
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

export function countOption(invocation: Invocation, name: string, fallback: number, max: number): number {
  const value = stringOption(invocation, name);
  if (value === undefined) return fallback;
  const count = /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (count >= 1 && count <= max) return count;
  throw new CommandError(`--${name} takes a number from 1 to ${max}, not '${value}'`, EXIT_USAGE);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
