/**
 * Plugins as entities. None is built yet, so two stand in for Kong's of the same names, with as much of their schemas as
 * the tables need; that is only possible in this process, on the Admin API without a gateway behind it. Facts: Kong 3.9's
 * Admin API tests of plugins and of the plugins of services, routes and consumers, its DAO of plugins.
 */
import { test } from 'node:test';
import { addPluginSchema } from '../../src/entities/plugin-schemas.ts';
import type { Fields } from '../../src/entities/schema/field.ts';
import { startAdmin } from '../control/support/admin-server.ts';
import {
  type Case,
  having,
  id,
  NOT_FOUND,
  page,
  playAll,
  seconds,
  violation,
  wrong,
} from './support/cases.ts';

const GONE = '00000000-0000-0000-0000-00000000dead';

function standIn(name: string, config: Fields): void {
  addPluginSchema({ name, priority: 1, never: ['consumer'], config });
}

standIn('key-auth', {
  key_names: { type: 'array', elements: { type: 'string' }, required: true, default: ['apikey'] },
  hide_credentials: { type: 'boolean', required: true, default: false },
});
standIn('basic-auth', { realm: { type: 'string', required: true, default: 'service' } });

const CONFIG = { key_names: ['apikey'], hide_credentials: false };
const whole = {
  id,
  created_at: seconds,
  updated_at: seconds,
  name: 'key-auth',
  instance_name: null,
  route: null,
  service: null,
  consumer: null,
  // Kong Enterprise's.
  consumer_group: null,
  config: CONFIG,
  protocols: ['grpc', 'grpcs', 'http', 'https'],
  enabled: true,
  tags: null,
};
const twice = (text: string, fields: object): unknown => ({
  code: 5,
  name: 'unique constraint violation',
  message: `UNIQUE violation detected on '${text}'`,
  fields,
});

const creation: readonly Case[] = [
  { ask: 'POST /services', json: { name: 's', host: 'h' }, status: 201, keep: 's' },
  { ask: 'POST /services', json: { name: 'other', host: 'h' }, status: 201 },
  {
    ask: 'POST /services/s/routes',
    json: { name: 'r', paths: ['/'], protocols: ['http'] },
    status: 201,
    keep: 'r',
  },
  { ask: 'POST /consumers', json: { username: 'c' }, status: 201, keep: 'c' },
  { ask: 'POST /plugins', json: { name: 'key-auth' }, status: 201, body: whole, keep: 'global' },
  {
    ask: 'POST /plugins',
    json: { name: 'key-auth' },
    status: 409,
    body: twice('{consumer=null,name="key-auth",route=null,service=null}', {
      consumer: null,
      name: 'key-auth',
      route: null,
      service: null,
    }),
  },
  {
    ask: 'POST /services/s/plugins',
    json: { name: 'key-auth', instance_name: 'one', config: { key_names: ['k'] } },
    status: 201,
    body: { ...whole, instance_name: 'one', service: { id: '{s}' }, config: { ...CONFIG, key_names: ['k'] } },
    keep: 'p',
  },
  {
    ask: 'POST /services/s/plugins',
    json: { name: 'key-auth' },
    status: 409,
    body: twice('{consumer=null,name="key-auth",route=null,service={id="{s}"}}', {
      consumer: null,
      name: 'key-auth',
      route: null,
      service: { id: '{s}' },
    }),
  },
  {
    ask: 'POST /routes/r/plugins',
    form: 'name=key-auth&config.key_names[1]=apikey&config.key_names[2]=key&config.hide_credentials=true',
    status: 201,
    body: having({ route: { id: '{r}' }, config: { key_names: ['apikey', 'key'], hide_credentials: true } }),
  },
  {
    ask: 'POST /plugins',
    json: { name: 'basic-auth', service: { name: 's' } },
    status: 201,
    body: having({ service: { id: '{s}' } }),
  },
  {
    ask: 'POST /services/s/plugins',
    json: { id: '{p}', name: 'basic-auth', route: { id: '{r}' } },
    status: 400,
    body: having({ code: 3, name: 'primary key violation', fields: { id: '{p}' } }),
  },
  {
    ask: 'POST /plugins',
    json: { name: 'basic-auth', instance_name: 'one' },
    status: 409,
    body: having({ code: 5, fields: { instance_name: 'one' } }),
  },
];

const refused: readonly Case[] = [
  {
    ask: 'POST /plugins',
    json: { name: 'key-auth', config: { foo: 'bar' } },
    status: 400,
    body: violation({ config: { foo: 'unknown field' } }, 'schema violation (config.foo: unknown field)'),
  },
  {
    ask: 'POST /plugins',
    json: { name: 'key-auth', config: { key_names: 'x' } },
    status: 400,
    body: violation(
      { config: { key_names: 'expected an array' } },
      'schema violation (config.key_names: expected an array)',
    ),
  },
  {
    ask: 'POST /plugins',
    json: { name: 'key-auth', config: 7 },
    status: 400,
    body: wrong('config', 'expected a record'),
  },
  {
    ask: 'POST /consumers/c/plugins',
    json: { name: 'key-auth' },
    status: 400,
    body: wrong('consumer', 'value must be null'),
  },
  {
    ask: 'POST /plugins',
    json: { name: 'key-auth', foo: 1 },
    status: 400,
    body: wrong('foo', 'unknown field'),
  },
  {
    ask: 'POST /plugins',
    json: { name: 'key-auth', instance_name: 'a b' },
    status: 400,
    body: having({ fields: { instance_name: /^invalid value 'a b': the only accepted ascii characters/ } }),
  },
  {
    ask: 'POST /routes/r/plugins',
    json: { name: 'basic-auth', protocols: ['grpc', 'https'] },
    status: 400,
    body: wrong('protocols', "must match the associated route's protocols"),
  },
  {
    ask: 'PUT /plugins/new',
    json: { name: 'basic-auth', route: { id: '{r}' }, protocols: ['https'] },
    status: 400,
    body: wrong('protocols', "must match the associated route's protocols"),
  },
  {
    ask: 'PATCH /plugins/one',
    json: { protocols: ['https'] },
    status: 400,
    body: wrong(
      'protocols',
      "must match the protocols of at least one route pointing to this Plugin's service",
    ),
  },
  // A service without routes asks nothing, nor do the protocols that a plugin has by itself.
  {
    ask: 'POST /services/other/plugins',
    json: { name: 'basic-auth', protocols: ['https'] },
    status: 201,
    keep: 'moved',
  },
  { ask: 'PATCH /plugins/{moved}', json: { service: { id: '{s}' } }, status: 400, body: having({ code: 2 }) },
];

const one: readonly Case[] = [
  { ask: 'GET /plugins/one', status: 200, body: having({ id: '{p}' }) },
  { ask: 'GET /services/s/plugins/one', status: 200, body: having({ id: '{p}' }) },
  { ask: 'GET /services/other/plugins/one', status: 404, body: NOT_FOUND },
  { ask: 'GET /plugins/one/service', status: 200, body: having({ id: '{s}' }) },
  { ask: 'GET /plugins/{global}/service', status: 404, body: NOT_FOUND },
  {
    ask: 'PATCH /plugins/one',
    json: { enabled: false },
    status: 200,
    body: having({ enabled: false, config: { ...CONFIG, key_names: ['k'] } }),
  },
  // The fields of a configuration merge, lists are replaced.
  {
    ask: 'PATCH /plugins/one',
    json: { config: { hide_credentials: true } },
    status: 200,
    body: having({ config: { key_names: ['k'], hide_credentials: true } }),
  },
  {
    ask: 'PATCH /plugins/one',
    form: 'config.hide_credentials=false&config.key_names=z',
    status: 200,
    body: having({ config: { key_names: ['z'], hide_credentials: false } }),
  },
  {
    ask: 'PATCH /services/s/plugins/{p}',
    json: { foo: 'bar' },
    status: 400,
    body: wrong('foo', 'unknown field'),
  },
  { ask: 'PATCH /services/s/plugins/{p}', json: { service: null }, status: 409, body: having({ code: 5 }) },
  { ask: `PATCH /services/s/plugins/${GONE}`, json: { enabled: true }, status: 404, body: NOT_FOUND },
  { ask: `PATCH /plugins/${GONE}`, json: { name: 'key-auth' }, status: 404, body: having({ code: 6 }) },
  {
    ask: 'PUT /plugins/one',
    json: { name: 'key-auth', service: { id: '{s}' } },
    status: 200,
    body: { ...whole, id: '{p}', instance_name: 'one', service: { id: '{s}' } },
  },
  { ask: 'PUT /plugins/one', json: {}, status: 400, body: wrong('name', 'required field missing') },
  {
    ask: 'PUT /services/s/plugins/{p}',
    json: { name: 'key-auth' },
    status: 200,
    body: having({ id: '{p}', instance_name: null }),
  },
  { ask: 'GET /consumers/c/plugins', status: 200, body: page() },
  { ask: 'DELETE /plugins/{global}', status: 204 },
  { ask: 'DELETE /plugins/{global}', status: 204 },
  { ask: 'DELETE /services/s/plugins/{global}', status: 404, body: NOT_FOUND },
  // Plugins go with what they are on.
  { ask: 'DELETE /routes/r', status: 204 },
  { ask: 'DELETE /services/s', status: 204 },
  { ask: 'GET /plugins', status: 200, body: page(having({ id: '{moved}' })) },
];

test('as Kong answers', async (context) => {
  await using admin = await startAdmin();
  await playAll(context, admin.origin, { creation, refused, one });
});
