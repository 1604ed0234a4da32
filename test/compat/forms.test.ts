/** Bodies that are forms: names, types, lists, nulls. Facts: Kong 3.9's Admin API documentation and its form tests. */
import { type Case, compare, having, wrong } from './support/cases.ts';

const post = (form: string, status: number, body: unknown): Case => ({
  ask: 'POST /services',
  form,
  status,
  body,
});
const route = (form: string, wanted: Readonly<Record<string, unknown>>): Case => ({
  ask: 'POST /routes',
  form,
  status: 201,
  body: having(wanted),
});

const types: readonly Case[] = [
  post('name=a&host=h&retries=3&enabled=false', 201, having({ retries: 3, enabled: false })),
  post('host=h&retries=abc', 400, wrong('retries', 'expected an integer')),
  post('host=h&enabled=yes', 400, wrong('enabled', 'expected a boolean')),
  // No value is null.
  post('host=h&path=&tags=', 201, having({ path: null, tags: null })),
  post('host=', 400, wrong('host', 'required field missing')),
  post('name=123&host=1.2.3.4', 201, having({ name: '123', host: '1.2.3.4' })),
  post('host=h&path=%2Fa+b', 400, having({ code: 2 })),
  post('host=h&foo=1', 400, wrong('foo', 'unknown field')),
  {
    ask: 'PATCH /services/a',
    form: 'retries=7&tags=x',
    status: 200,
    body: having({ retries: 7, tags: ['x'] }),
  },
  { ask: 'PATCH /services/a', form: 'tags=', status: 200, body: having({ tags: null, retries: 7 }) },
  { ask: 'PUT /services/a', form: 'host=i', status: 200, body: having({ host: 'i', retries: 5 }) },
];

const lists: readonly Case[] = [
  post('host=h&tags=a', 201, having({ tags: ['a'] })),
  post('host=h&tags=a&tags=b', 201, having({ tags: ['a', 'b'] })),
  post('host=h&tags[]=a&tags[]=b', 201, having({ tags: ['a', 'b'] })),
  post('host=h&tags[1]=a&tags[2]=b', 201, having({ tags: ['a', 'b'] })),
  post('host=h&tags[2]=b&tags[1]=a', 201, having({ tags: ['a', 'b'] })),
  post('host=h&tags%5B%5D=a', 201, having({ tags: ['a'] })),
  post('host=h&tags=a,b', 400, having({ code: 2 })),
];

const nested: readonly Case[] = [
  { ask: 'POST /services', form: 'name=s&host=h', status: 201, keep: 's' },
  route('paths[]=/1&service.id={s}', { service: { id: '{s}' } }),
  route('paths[]=/2&service.name=s', { service: { id: '{s}' } }),
  route('paths[]=/3&headers.x=1', { headers: { x: ['1'] } }),
  route('paths[]=/4&headers.x=1&headers.x=2', { headers: { x: ['1', '2'] } }),
  route('paths[]=/5&headers.x[]=1&headers.y[]=2', { headers: { x: ['1'], y: ['2'] } }),
  route('paths[]=/6&headers[x]=1', { headers: { x: ['1'] } }),
  {
    ask: 'POST /upstreams',
    form: 'name=u&healthchecks.active.timeout=5&healthchecks.active.healthy.http_statuses[]=200&healthchecks.active.healthy.http_statuses[]=204',
    status: 201,
    body: having({
      healthchecks: having({
        active: having({ timeout: 5, healthy: { http_statuses: [200, 204], interval: 0, successes: 0 } }),
      }),
    }),
  },
  {
    ask: 'PATCH /upstreams/u',
    form: 'healthchecks.active.http_path=/up',
    status: 200,
    body: having({ healthchecks: having({ active: having({ timeout: 5, http_path: '/up' }) }) }),
  },
];

const parts: readonly Case[] = [
  {
    ask: 'POST /services',
    multipart: { name: 'm', host: 'h', retries: '2', 'tags[]': 'a' },
    status: 201,
    body: having({ retries: 2, tags: ['a'] }),
  },
  { ask: 'PATCH /services/m', multipart: { retries: '4' }, status: 200, body: having({ retries: 4 }) },
  { ask: 'POST /routes', multipart: { 'paths[1]': '/m', 'service.name': 'm' }, status: 201 },
];

const query: readonly Case[] = [
  // Arguments of the query are none of the entity.
  { ask: 'POST /services?host=h', status: 400, body: wrong('host', 'required field missing') },
  { ask: 'PATCH /services/m?retries=9', json: {}, status: 200, body: having({ retries: 4 }) },
  post(`host=h&${'x=1&'.repeat(1001)}`, 400, { message: 'Too many arguments' }),
];

compare({ types, lists, nested, parts, query });
