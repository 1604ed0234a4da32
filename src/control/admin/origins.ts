/**
 * Which web pages are our own: those of the host and port that they ask, and those of the console (`admin_gui_url`,
 * `admin_gui_listen`). For them there are CORS headers, which name the one origin and never `*`.
 */
import type { Settings } from '../../settings/settings.ts';

export type Consoles = Pick<Settings, 'admin_gui_url' | 'admin_gui_listen'>;

/** @param host of the request. */
export function isOwnOrigin(origin: string, host: string, consoles: Consoles): boolean {
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  return (
    page.host === host.toLowerCase() || isConsoleUrl(origin, consoles) || isConsolePort(page, host, consoles)
  );
}

/** One of `admin_gui_url`: somebody wrote it down, so that it may ask under any name. */
export function isConsoleUrl(origin: string, { admin_gui_url }: Consoles): boolean {
  return URL.canParse(origin) && admin_gui_url.some((url) => new URL(url).origin === new URL(origin).origin);
}

/** The names of the consoles are names of this gateway, too. */
export function isConsoleHost(name: string, { admin_gui_url }: Consoles): boolean {
  return admin_gui_url.some((url) => new URL(url).hostname === name);
}

/** A console on another port of the same name. */
function isConsolePort(page: URL, host: string, { admin_gui_listen }: Consoles): boolean {
  const asked = `http://${host}`;
  if (!URL.canParse(asked) || new URL(asked).hostname !== page.hostname) return false;
  const port = Number(page.port || (page.protocol === 'https:' ? 443 : 80));
  return admin_gui_listen.some((one) => one.port === port && one.ssl === (page.protocol === 'https:'));
}

/** What an answer to a page of ours carries. */
export function corsHeaders(origin: string): Readonly<Record<string, string>> {
  return { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' };
}

/** Kong's value, and for pages also what a token and a condition are sent in. */
export function allowedHeaders(origin: string | undefined): string {
  return origin === undefined ? 'Content-Type' : 'Content-Type, Authorization, Kong-Admin-Token, If-Match';
}
