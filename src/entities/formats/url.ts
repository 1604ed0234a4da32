/** The `url` shorthand of services. */

interface UrlParts {
  readonly scheme: string | null;
  readonly host: string | null;
  readonly port: string | null;
  readonly path: string | null;
  readonly fragment: string | null;
}

/** RFC 2396 split without judgement (LuaSocket's reading): query and parameters are dropped. */
export function splitUrl(url: string): UrlParts {
  const hash = url.indexOf('#');
  let rest = hash === -1 ? url : url.slice(0, hash);
  const scheme = /^([A-Za-z0-9][A-Za-z0-9+.-]*):/.exec(rest)?.[1] ?? null;
  if (scheme !== null) rest = rest.slice(scheme.length + 1);
  const authority = /^\/\/([^/?]*)/.exec(rest)?.[1] ?? null;
  if (authority !== null) rest = rest.slice(authority.length + 2);
  const path = rest.replace(/[?;].*$/s, '');
  const hostAndPort = (authority ?? '').replace(/^[^@]*@/, '');
  const port = /:([^:\]]*)$/.exec(hostAndPort)?.[1] ?? null;
  const host = port === null ? hostAndPort : hostAndPort.slice(0, -port.length - 1);
  return {
    scheme,
    host: host === '' ? null : host.replace(/^\[(.+)\]$/, '$1'),
    port: port === '' ? null : port,
    path: path === '' ? null : path,
    fragment: hash === -1 ? null : url.slice(hash + 1),
  };
}

/** What `url` stands for; it wins over the fields that it names. */
export function expandUrl(url: string): Readonly<Record<string, unknown>> {
  const { scheme, host, port: portText, path } = splitUrl(url);
  const port = portText !== null && /^\d+$/.test(portText) ? Number(portText) : portText;
  const guess = port === 443 ? 'https' : 'http';
  const protocol = scheme ?? guess;
  return { protocol, host, port: port ?? (protocol === 'https' ? 443 : 80), path };
}
