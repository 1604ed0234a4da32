/** Without a database: what reads and what does not write. Facts: Kong 3.9's Admin API tests of database = off. */
import {
  absent,
  anything,
  type Case,
  compare,
  having,
  id,
  NOT_ALLOWED,
  NOT_FOUND,
  page,
} from './support/cases.ts';

const GONE = '00000000-0000-0000-0000-00000000dead';
const cannot = (what: string): unknown => ({
  code: 12,
  name: 'operation unsupported',
  message: `cannot ${what} when not using a database`,
});
const YAML = { 'content-type': 'application/yaml' };

const empty: readonly Case[] = [
  { ask: 'GET /status', status: 200, body: having({ database: absent, configuration_hash: '0'.repeat(32) }) },
  { ask: 'GET /services', status: 200, body: page() },
  { ask: 'GET /', status: 200, body: having({ configuration: having({ database: 'off' }) }) },
];

const writes: readonly Case[] = [
  {
    ask: 'POST /routes',
    json: { protocols: ['http'], hosts: ['a.test'], service: { id: GONE } },
    status: 405,
    body: cannot("create 'routes' entities"),
  },
  {
    ask: 'POST /routes',
    form: 'protocols[]=http&hosts[]=a.test',
    status: 405,
    body: cannot("create 'routes' entities"),
  },
  { ask: 'PUT /routes', json: {}, status: 405, body: NOT_ALLOWED },
  { ask: 'PATCH /routes', json: {}, status: 405, body: NOT_ALLOWED },
  { ask: 'DELETE /routes', status: 405, body: NOT_ALLOWED },
  {
    ask: `PUT /routes/${GONE}`,
    json: { paths: ['/'] },
    status: 405,
    body: cannot("create or update 'routes' entities"),
  },
  { ask: `POST /routes/${GONE}`, json: { paths: ['/'] }, status: 405, body: NOT_ALLOWED },
  {
    ask: 'PUT /consumers/bob',
    json: {},
    status: 405,
    body: cannot("create or update 'consumers' entities by 'username'"),
  },
  {
    ask: 'GET /routes?offset=x',
    status: 400,
    body: { code: 7, name: 'invalid offset', message: "'x' is not a valid offset: bad base64 encoding" },
  },
  {
    ask: 'PUT /debug/node/log-level/notice',
    status: 405,
    body: { message: 'cannot change log level when not using a database' },
  },
];

const DECLARED = {
  _format_version: '3.0',
  services: [{ name: 's', host: 'h', routes: [{ name: 'r', paths: ['/'] }] }],
  consumers: [{ username: 'bob' }],
};
const config: readonly Case[] = [
  {
    ask: 'POST /config',
    json: DECLARED,
    status: 201,
    body: having({ services: anything, routes: anything, consumers: anything }),
  },
  {
    ask: 'GET /services/s',
    status: 200,
    body: having({ id, name: 's', host: 'h', retries: 5, path: null, tags: null }),
    keep: 's',
  },
  { ask: 'GET /routes/r', status: 200, body: having({ service: { id: '{s}' } }) },
  { ask: 'GET /services/s/routes', status: 200, body: page(having({ name: 'r' })) },
  { ask: 'GET /consumers/bob', status: 200, body: having({ username: 'bob', custom_id: null }) },
  { ask: 'GET /status', status: 200, body: having({ configuration_hash: /^[0-9a-f]{32}$/ }) },
  {
    ask: 'PATCH /services/s',
    json: { host: 'i' },
    status: 405,
    body: cannot("update 'services' entities by 'name'"),
  },
  { ask: 'DELETE /services/s', status: 405, body: cannot("remove 'services' entities by 'name'") },
  { ask: 'DELETE /services/{s}', status: 405, body: cannot("remove 'services' entities") },
  { ask: 'POST /services/s/routes', json: {}, status: 405, body: cannot("create 'routes' entities") },
  { ask: 'GET /config', status: 200, body: having({ config: /_format_version/ }) },
  {
    ask: 'POST /config',
    json: '_format_version: "1.1"\nconsumers:\n- username: yaml\n',
    headers: YAML,
    status: 201,
  },
  { ask: 'GET /consumers/yaml', status: 200 },
  { ask: 'GET /services/s', status: 404, body: NOT_FOUND },
  {
    ask: 'POST /config',
    json: { config: '{"_format_version":"3.0","consumers":[{"username":"inner"}]}' },
    status: 201,
  },
  {
    ask: 'POST /config',
    form: `config=${encodeURIComponent('_format_version: "3.0"\nconsumers:\n- username: form\n')}`,
    status: 201,
  },
  { ask: 'GET /consumers/form', status: 200 },
  { ask: 'POST /config', json: {}, status: 400, body: anything },
  {
    ask: 'POST /config',
    json: { _format_version: '3.0', consumers: [{}] },
    status: 400,
    body: having({
      code: 14,
      name: 'invalid declarative configuration',
      fields: anything,
      message: /^declarative config is invalid: /,
    }),
  },
  {
    ask: 'POST /config?flatten_errors=1',
    json: { _format_version: '3.0', services: [{ name: 'x' }] },
    status: 400,
    body: having({
      code: 14,
      flattened_errors: [
        having({
          entity_type: 'service',
          entity_name: 'x',
          errors: [{ type: 'field', field: 'host', message: 'required field missing' }],
        }),
      ],
    }),
  },
  // What was refused changes nothing.
  { ask: 'GET /consumers/form', status: 200 },
];

compare({ empty, writes, config }, { settings: { database: 'off' } });
