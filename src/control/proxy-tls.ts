/** TLS of the proxy's listeners as the main thread sees it: it reads first what the workers will read. */
import type { Settings } from '../settings/settings.ts';
import { readServerMaterial } from '../wire/tls/server-material.ts';

/** The pair of our own is made here, once. @throws Error that names the setting. */
export function checkProxyTls(settings: Settings): void {
  if ([...settings.proxy_listen, ...settings.stream_listen].some(({ ssl }) => ssl))
    readServerMaterial(settings);
}
