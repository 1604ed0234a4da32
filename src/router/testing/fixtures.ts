/** Routes and requests for the router's tests. */
import type { Route } from '../../entities/route.ts';
import type { RouterInput } from '../router.ts';

export function uuid(n: number): string {
  return `${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
}

export function route(fields: Partial<Route>): Route {
  return {
    id: uuid(1),
    name: null,
    protocols: ['http', 'https'],
    methods: null,
    hosts: null,
    paths: null,
    headers: null,
    snis: null,
    sources: null,
    destinations: null,
    regex_priority: 0,
    strip_path: true,
    path_handling: 'v0',
    preserve_host: false,
    https_redirect_status_code: 426,
    request_buffering: true,
    response_buffering: true,
    service: null,
    tags: null,
    created_at: 0,
    updated_at: 0,
    ...fields,
  };
}

export interface RequestFields extends Partial<Omit<RouterInput, 'headerValues'>> {
  readonly headers?: Readonly<Record<string, readonly string[]>>;
}

export function request(fields: RequestFields): RouterInput {
  const { headers, ...rest } = fields;
  return {
    method: 'GET',
    scheme: 'http',
    host: 'example.com',
    port: 80,
    path: '/',
    query: '',
    sni: '',
    srcIp: '127.0.0.1',
    srcPort: 1024,
    dstIp: '127.0.0.1',
    dstPort: 8000,
    ...rest,
    headerValues: (name) => headers?.[name] ?? [],
  };
}
