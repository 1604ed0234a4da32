/** `kong.request` and `kong.service`, in the sandbox. */
import type { Helpers, SandboxHost } from './prelude.ts';

export function kongRequest(host: SandboxHost, { text, named }: Helpers) {
  const fact = (name: string) => () => host.fact(name) ?? undefined;
  const json = (name: string) => (): unknown => JSON.parse(host.json(name, ''));
  const forwarded = (name: string) => (): unknown =>
    JSON.parse(host.json('forwarded', ''))[name] ?? undefined;
  const getRawBody = (): string | undefined => host.body('request') ?? undefined;
  return named(
    {
      getScheme: fact('scheme'),
      getHost: fact('host'),
      getPort: fact('port'),
      getForwardedScheme: forwarded('scheme'),
      getForwardedHost: forwarded('host'),
      getForwardedPort: forwarded('port'),
      getForwardedPath: forwarded('path'),
      getForwardedPrefix: forwarded('prefix'),
      getHttpVersion: fact('httpVersion'),
      getMethod: fact('method'),
      getPath: fact('path'),
      getRawPath: fact('rawPath'),
      getPathWithQuery: fact('pathWithQuery'),
      getRawQuery: fact('query'),
      getQuery: json('args'),
      getQueryArg: (name: unknown) => host.queryArg(text(name, 'the name of the argument')) ?? undefined,
      getHeader: (name: unknown) => host.requestHeader(text(name, 'the name of the header')) ?? undefined,
      getHeaders: json('headers'),
      getStartTime: fact('startTime'),
      getUriCaptures: json('captures'),
      getRawBody,
      getBody: (): unknown => {
        const body = getRawBody();
        const type = (host.requestHeader('content-type') ?? '').toLowerCase();
        if (body === undefined) return undefined;
        if (type.startsWith('application/json')) return JSON.parse(body);
        if (type.startsWith('application/x-www-form-urlencoded')) return JSON.parse(host.json('form', body));
        throw new Error(`a body of type '${type}' is not read: kong.request.getRawBody gives its text`);
      },
    },
    [],
    'request',
  );
}

export function kongService(host: SandboxHost, { text, named, list, map }: Helpers) {
  const headerName = 'the name of the header';
  const json = (name: string) => (): unknown => JSON.parse(host.json(name, ''));
  const set = (name: string) => (value: unknown) => host.set(name, text(value, 'the value'));
  const encode = (name: string, value: unknown): string =>
    value === true
      ? encodeURIComponent(name)
      : `${encodeURIComponent(name)}=${encodeURIComponent(text(value, `argument '${name}'`))}`;
  const query = (args: object): string =>
    Object.entries(args)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, value]) =>
        (Array.isArray(value) ? value : [value])
          .filter((one) => one !== false && one !== null && one !== undefined)
          .map((one) => encode(name, one)),
      )
      .join('&');
  const request = named(
    {
      setScheme: set('scheme'),
      setPath: set('path'),
      setRawQuery: set('query'),
      setMethod: set('method'),
      setQuery: (args: object) => host.set('query', query(args)),
      setHeader: (name: unknown, value: unknown) => {
        if (typeof value === 'string')
          host.setRequestHeader(text(name, headerName), text(value, 'the value'));
        else host.header('request set', text(name, headerName), list(value, 'the value'));
      },
      addHeader: (name: unknown, value: unknown) =>
        host.header('request add', text(name, headerName), list(value, 'the value')),
      clearHeader: (name: unknown) => host.header('request remove', text(name, headerName), '[]'),
      setHeaders: (headers: unknown) => host.header('request all', '', map(headers, 'header')),
      setRawBody: (body: unknown) => host.set('body', JSON.stringify(String(body))),
      setBody: (body: object, type: unknown = 'application/json') => {
        const isForm = type === 'application/x-www-form-urlencoded';
        if (!isForm && type !== 'application/json')
          throw new Error(`a body of type '${String(type)}' is not written`);
        host.set('body', JSON.stringify(isForm ? query(body) : JSON.stringify(body)));
        host.setRequestHeader('Content-Type', type);
      },
    },
    ['enableBuffering', 'disableTls', 'clearQueryArg'],
    'service.request',
  );
  const response = named(
    {
      getStatus: () => host.fact('serviceStatus') ?? undefined,
      getHeader: (name: unknown) => host.serviceHeader(text(name, headerName)) ?? undefined,
      getHeaders: json('serviceHeaders'),
    },
    ['getRawBody', 'getBody'],
    'service.response',
  );
  const service = named(
    {
      setTarget: (name: unknown, port: unknown) =>
        host.set('target', JSON.stringify([text(name, 'the host'), Number(port)])),
      setUpstream: (name: unknown) => host.set('target', JSON.stringify([text(name, 'the upstream'), 80])),
      setRetries: set('retries'),
      setTimeouts: (connect: unknown, write: unknown, read: unknown) =>
        host.set('timeouts', JSON.stringify([connect, write, read].map(Number))),
    },
    ['setTargetRetryCallback', 'setTlsCertKey', 'setTlsVerify', 'setTlsVerifyDepth', 'setTlsVerifyStore'],
    'service',
  );
  return { ...service, request, response };
}
