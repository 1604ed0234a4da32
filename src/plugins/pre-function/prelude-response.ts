/** `kong.response`, in the sandbox. */
import type { Helpers, SandboxHost } from './prelude.ts';

export function kongResponse(host: SandboxHost, { text, named, list, map, exited }: Helpers) {
  const headerName = 'the name of the header';
  const end = (status: unknown, kind: string, body: string, headers: unknown): never => {
    host.exit(text(status, 'the status'), kind, body, map(headers ?? {}, 'header'));
    // Caught where the snippet was called.
    throw exited;
  };
  return named(
    {
      getStatus: () => host.fact('status') ?? undefined,
      getSource: () => host.fact('source') ?? undefined,
      getHeader: (name: unknown) => host.responseHeader(text(name, headerName)) ?? undefined,
      getHeaders: (): unknown => JSON.parse(host.json('responseHeaders', '')),
      setStatus: (status: unknown) => host.set('status', text(status, 'the status')),
      setHeader: (name: unknown, value: unknown) => {
        if (typeof value === 'string')
          host.setResponseHeader(text(name, headerName), text(value, 'the value'));
        else host.header('response set', text(name, headerName), list(value, 'the value'));
      },
      addHeader: (name: unknown, value: unknown) =>
        host.header('response add', text(name, headerName), list(value, 'the value')),
      clearHeader: (name: unknown) => host.header('response remove', text(name, headerName), '[]'),
      setHeaders: (headers: unknown) => host.header('response all', '', map(headers, 'header')),
      getRawBody: () => host.body('response') ?? undefined,
      setRawBody: (body: unknown) => host.set('responseBody', JSON.stringify(String(body))),
      exit: (status: unknown, body?: object | string | number | null, headers?: unknown) => {
        if (body === undefined || body === null) return end(status, 'none', '', headers);
        if (typeof body === 'object') return end(status, 'json', JSON.stringify(body), headers);
        return end(status, 'text', JSON.stringify(String(body)), headers);
      },
      error: (status: unknown, message?: unknown, headers?: unknown) =>
        end(status, 'error', message === undefined ? '' : text(message, 'the message'), headers),
    },
    [],
    'response',
  );
}
