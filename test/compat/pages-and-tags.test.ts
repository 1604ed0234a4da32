/** Pages, their arguments, filters by tags, `/tags`. Facts: Kong 3.9's Admin API tests of lists and tags, its DAO. */
import { type Case, compare, having, page } from './support/cases.ts';

const size = (message: string): unknown => ({ code: 9, name: 'invalid size', message });
const tags = (why: string): unknown => ({
  code: 11,
  name: 'invalid options',
  message: `invalid option (tags: ${why})`,
  options: { tags: why },
});
const BETWEEN = size('size must be an integer between 1 and 1000');
const NUMBER = size('size must be a number');
const TOKEN = /^[A-Za-z0-9+/]+=*$/;

const made: readonly Case[] = [1, 2, 3].map((n) => ({
  ask: 'POST /consumers',
  json: {
    id: `00000000-0000-0000-0000-00000000000${n}`,
    username: `u${n}`,
    tags: ['corp_ a', `consumer_ ${n}`, '🦍'],
  },
  status: 201,
}));

const one = (n: number): unknown => having({ username: `u${n}` });
const pages: readonly Case[] = [
  { ask: 'GET /consumers', status: 200, body: page(one(1), one(2), one(3)) },
  {
    ask: 'GET /consumers?size=2',
    status: 200,
    body: { data: [one(1), one(2)], offset: TOKEN, next: /^\/consumers\?offset=[^&]+&size=2$/ },
  },
  { ask: 'GET /consumers?size=3', status: 200, body: having({ next: null, offset: undefined }) },
  { ask: 'GET /consumers?size=1000', status: 200, body: having({ next: null }) },
  // The offset is base64 of a list with the last id, as Kong's is on Postgres.
  {
    ask: `GET /consumers?offset=${encodeURIComponent(btoa('["00000000-0000-0000-0000-000000000002"]'))}`,
    status: 200,
    body: page(one(3)),
  },
  { ask: 'GET /consumers?size=0', status: 400, body: BETWEEN },
  { ask: 'GET /consumers?size=1001', status: 400, body: BETWEEN },
  { ask: 'GET /consumers?size=1.5', status: 400, body: BETWEEN },
  { ask: 'GET /consumers?size=a', status: 400, body: NUMBER },
  { ask: 'GET /consumers?size=', status: 400, body: NUMBER },
  {
    ask: 'GET /consumers?offset=x',
    status: 400,
    body: { code: 7, name: 'invalid offset', message: "'x' is not a valid offset: bad base64 encoding" },
  },
  {
    ask: 'GET /consumers?offset=%7Cpotato%7C',
    status: 400,
    body: having({ code: 7, message: "'|potato|' is not a valid offset: bad base64 encoding" }),
  },
  {
    ask: `GET /consumers?offset=${btoa('abc')}`,
    status: 400,
    body: having({ code: 7, message: `'${btoa('abc')}' is not a valid offset: bad json encoding` }),
  },
  { ask: 'GET /services', status: 200, body: page() },
  // What no list has is ignored, and a body with a GET.
  { ask: 'GET /services?foo=bar', status: 200, body: page() },
];

const filters: readonly Case[] = [
  { ask: 'GET /consumers?tags=corp_%20a', status: 200, body: page(one(1), one(2), one(3)) },
  { ask: 'GET /consumers?tags=%F0%9F%A6%8D', status: 200, body: page(one(1), one(2), one(3)) },
  { ask: 'GET /consumers?tags=corp_%20a,consumer_%201', status: 200, body: page(one(1)) },
  { ask: 'GET /consumers?tags=consumer_%202/consumer_%201', status: 200, body: page(one(1), one(2)) },
  { ask: 'GET /consumers?tags=none', status: 200, body: page() },
  { ask: "GET /consumers?tags=''", status: 200, body: page() },
  {
    ask: 'GET /consumers?tags=corp_%20a&size=1',
    status: 200,
    body: having({ next: /^\/consumers\?offset=[^&]+&tags=corp_%20a&size=1$/ }),
  },
  { ask: 'GET /consumers?tags=', status: 400, body: tags('cannot be null') },
  { ask: 'GET /consumers?tags=a,b/c', status: 400, body: tags('invalid filter syntax') },
  { ask: 'GET /consumers?tags=a/b,c', status: 400, body: tags('invalid filter syntax') },
  { ask: 'GET /consumers?tags=%FF', status: 400, body: tags('invalid filter syntax') },
  { ask: 'GET /consumers?tags=a,b,c,d,e,f', status: 400, body: tags('cannot query more than 5 tags') },
  { ask: 'GET /consumers?tags=a/b/c/d/e/f', status: 400, body: tags('cannot query more than 5 tags') },
  // A comma at the end adds nothing.
  { ask: 'GET /consumers?tags=consumer_%201,', status: 200 },
  // Lists below an entity check the filter, and do not use it.
  { ask: 'POST /consumers/u1/acls', json: { group: 'g', tags: ['t'] }, status: 201 },
  { ask: 'GET /consumers/u1/acls?tags=other', status: 200, body: page(having({ group: 'g' })) },
  { ask: 'GET /consumers/u1/acls?tags=', status: 400, body: tags('cannot be null') },
];

const row = (tag: string, n: number): unknown => ({
  tag,
  entity_name: 'consumers',
  entity_id: `00000000-0000-0000-0000-00000000000${n}`,
});
const view: readonly Case[] = [
  {
    ask: 'GET /tags/corp_%20a',
    status: 200,
    body: page(row('corp_ a', 1), row('corp_ a', 2), row('corp_ a', 3)),
  },
  {
    ask: 'GET /tags/corp_%20a?size=2',
    status: 200,
    body: {
      data: [row('corp_ a', 1), row('corp_ a', 2)],
      offset: TOKEN,
      next: /^\/tags\/corp_%20a\?offset=/,
    },
  },
  {
    ask: 'GET /tags/corp_%20a?tags=not_a_tag',
    status: 200,
    body: page(row('corp_ a', 1), row('corp_ a', 2), row('corp_ a', 3)),
  },
  { ask: 'GET /tags?tags=invalid@tag', status: 200, body: having({ next: null }) },
  { ask: 'GET /tags/does-not-exist', status: 200, body: page() },
  {
    ask: 'GET /tags/%FF',
    status: 400,
    body: having({ message: /utf-8/i }),
  },
  {
    ask: 'GET /tags/a,b',
    status: 400,
    body: having({
      code: 10,
      message: "invalid tag 'a,b': expected printable ascii (except `,` and `/`) or valid utf-8 sequences",
    }),
  },
  { ask: 'POST /tags', json: {}, status: 405 },
];

compare({ made, pages, filters, view });
