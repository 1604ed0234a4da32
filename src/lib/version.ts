/** Names and versions that the admin side shows. */
import { readFileSync } from './node-fs.ts';

/** What Kong's clients (decK, Terraform) read as the gateway's version: the last open release line. */
export const KONG_VERSION = '3.9.1';

/** This package's own, from package.json two folders up, in `src` and in `dist` alike. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return known ? String(manifest.version) : 'unknown';
}
