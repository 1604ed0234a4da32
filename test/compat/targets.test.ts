/** Targets of an upstream. Facts: Kong 3.9's Admin API tests of targets, its DAO of targets. */
import {
  type Case,
  compare,
  having,
  id,
  NOT_ALLOWED,
  NOT_FOUND,
  page,
  precise,
  wrong,
} from './support/cases.ts';

const GONE = '00000000-0000-0000-0000-00000000dead';
const LIST = '/upstreams/u/targets';
const post = (json: unknown, status: number, body: unknown, keep?: string): Case => ({
  ask: `POST ${LIST}`,
  json,
  status,
  body,
  ...(keep === undefined ? {} : { keep }),
});

const creation: readonly Case[] = [
  { ask: 'POST /upstreams', json: { name: 'u' }, status: 201, keep: 'u' },
  { ask: 'POST /upstreams', json: { name: 'v' }, status: 201, keep: 'v' },
  { ask: `GET ${LIST}`, status: 200, body: page() },
  post(
    { target: 'konghq.test' },
    201,
    {
      id,
      created_at: precise,
      updated_at: precise,
      upstream: { id: '{u}' },
      target: 'konghq.test:8000',
      weight: 100,
      tags: null,
    },
    'first',
  ),
  post({ target: 'konghq.test:8000' }, 409, having({ code: 5, name: 'unique constraint violation' })),
  post({ target: 'konghq.test' }, 409, having({ code: 5 })),
  post(
    { target: 'a.test:81', weight: 0, tags: ['x'] },
    201,
    having({ target: 'a.test:81', weight: 0, tags: ['x'] }),
  ),
  post({ target: '127.0.0.1' }, 201, having({ target: '127.0.0.1:8000' })),
  post({ target: '[::1]:90' }, 201, having({ target: '[0000:0000:0000:0000:0000:0000:0000:0001]:90' })),
  post({ target: '::2' }, 201, having({ target: '[0000:0000:0000:0000:0000:0000:0000:0002]:8000' })),
  // The upstream of the path counts.
  post({ target: 'b.test:1', upstream: { id: '{v}' } }, 201, having({ upstream: { id: '{u}' } })),
  { ask: 'POST /upstreams/v/targets', json: { target: 'konghq.test' }, status: 201, keep: 'other' },
  {
    ask: `POST ${LIST}/`,
    form: 'target=form.test&weight=7',
    status: 201,
    body: having({ target: 'form.test:8000', weight: 7 }),
  },
];

const refused: readonly Case[] = [
  post('{"hello": "world"', 400, { message: 'Cannot parse JSON body' }),
  post({ weight: 0 }, 400, wrong('target', 'required field missing')),
  post(
    { target: 'no host name' },
    400,
    wrong('target', "Invalid target ('no host name'); not a valid hostname or ip address"),
  ),
  post({ target: 'a.test', weight: 65536 }, 400, wrong('weight', 'value should be between 0 and 65535')),
  post({ target: 'a.test', weight: -1 }, 400, wrong('weight', 'value should be between 0 and 65535')),
  { ask: 'POST /upstreams/nobody/targets', json: { target: 'a.test' }, status: 404, body: NOT_FOUND },
  { ask: `PUT ${LIST}`, json: {}, status: 405, body: NOT_ALLOWED },
  { ask: `PATCH ${LIST}`, json: {}, status: 405, body: NOT_ALLOWED },
  { ask: `DELETE ${LIST}`, status: 405, body: NOT_ALLOWED },
  { ask: 'GET /targets', status: 404, body: NOT_FOUND },
  { ask: 'POST /targets', json: {}, status: 404, body: NOT_FOUND },
  { ask: 'GET /targets/{first}', status: 404, body: NOT_FOUND },
];

const one: readonly Case[] = [
  { ask: `GET ${LIST}/{first}`, status: 200, body: having({ id: '{first}' }) },
  { ask: `GET ${LIST}/konghq.test:8000`, status: 200, body: having({ id: '{first}' }) },
  // Named as it is stored.
  { ask: `GET ${LIST}/konghq.test`, status: 404, body: NOT_FOUND },
  { ask: `GET ${LIST}/{other}`, status: 404, body: NOT_FOUND },
  { ask: `GET ${LIST}/${GONE}`, status: 404, body: NOT_FOUND },
  { ask: 'GET /upstreams/nobody/targets/konghq.test:8000', status: 404, body: NOT_FOUND },
  {
    ask: `PATCH ${LIST}/konghq.test:8000`,
    json: { weight: 659 },
    status: 200,
    body: having({ id: '{first}', weight: 659 }),
  },
  {
    ask: `PUT ${LIST}/{first}`,
    json: { target: 'konghq.test:82', weight: 3 },
    status: 200,
    body: having({ id: '{first}', target: 'konghq.test:82', weight: 3 }),
  },
  {
    ask: `PUT ${LIST}/konghq.test:82`,
    json: { tags: ['t'] },
    status: 200,
    body: having({ weight: 3, tags: ['t'] }),
  },
  { ask: `PUT ${LIST}/nobody.test:82`, json: { weight: 1 }, status: 404, body: NOT_FOUND },
  { ask: `PATCH ${LIST}/${GONE}`, json: { weight: 1 }, status: 404, body: NOT_FOUND },
  {
    ask: `PATCH ${LIST}/{first}`,
    json: { weight: 65536 },
    status: 400,
    body: wrong('weight', 'value should be between 0 and 65535'),
  },
  { ask: `DELETE ${LIST}/konghq.test:82`, status: 204 },
  { ask: `DELETE ${LIST}/konghq.test:82`, status: 404, body: NOT_FOUND },
  { ask: `DELETE ${LIST}/{first}`, status: 404, body: NOT_FOUND },
];

const lists: readonly Case[] = [
  // Newest first, and those of weight 0 with them.
  { ask: 'POST /upstreams', json: { name: 'w' }, status: 201 },
  { ask: 'POST /upstreams/w/targets', json: { target: 'a.test:1', created_at: 1600000000 }, status: 201 },
  {
    ask: 'POST /upstreams/w/targets',
    json: { target: 'b.test:1', created_at: 1600000002.5, weight: 0 },
    status: 201,
  },
  { ask: 'POST /upstreams/w/targets', json: { target: 'c.test:1', created_at: 1600000001 }, status: 201 },
  {
    ask: 'GET /upstreams/w/targets',
    status: 200,
    body: page(
      having({ target: 'b.test:1', created_at: 1600000002.5 }),
      having({ target: 'c.test:1' }),
      having({ target: 'a.test:1' }),
    ),
  },
  {
    ask: 'GET /upstreams/w/targets/?size=2',
    status: 200,
    body: {
      data: [having({ target: 'b.test:1' }), having({ target: 'c.test:1' })],
      offset: '2',
      next: '/upstreams/w/targets?offset=2',
    },
  },
  { ask: 'GET /upstreams/w/targets?offset=2', status: 200, body: page(having({ target: 'a.test:1' })) },
  {
    ask: 'GET /upstreams/w/targets/all?size=1',
    status: 200,
    body: having({ offset: /./, next: /^\/upstreams\/w\/targets\/all\?offset=/ }),
  },
  { ask: 'GET /upstreams/w/targets/all?foo=bar', status: 200, body: having({ next: null }) },
  { ask: 'GET /upstreams/nobody/targets/all', status: 404, body: NOT_FOUND },
  // Those of one second, too: their times have milliseconds.
  { ask: 'POST /upstreams', json: { name: 'x' }, status: 201 },
  {
    ask: 'POST /upstreams/x/targets',
    json: { target: 'older.test:1', id: 'ffffffff-0000-0000-0000-000000000000' },
    status: 201,
  },
  { ask: 'GET /upstreams/x/targets', status: 200 },
  {
    ask: 'POST /upstreams/x/targets',
    json: { target: 'newer.test:1', id: '00000000-0000-0000-0000-000000000001' },
    status: 201,
  },
  {
    ask: 'GET /upstreams/x/targets',
    status: 200,
    body: page(having({ target: 'newer.test:1' }), having({ target: 'older.test:1' })),
  },
  // Targets go with their upstream.
  { ask: 'DELETE /upstreams/w', status: 204 },
  { ask: 'GET /upstreams/w/targets', status: 404, body: NOT_FOUND },
];

compare({ creation, refused, one, lists });
