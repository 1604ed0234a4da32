/** OAuth 2.0 tokens: on SQLite, on Postgres, and without a database. */
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { logOptions, startPostgres } from '../support/postgres.ts';
import { prepare } from '../store/support/log.ts';
import { type Case, compare, having, NOT_FOUND, page, playAll } from './support/cases.ts';
import { TOKENS } from './support/token-cases.ts';

compare(TOKENS);

test('on Postgres', async (context) => {
  await using postgres = await startPostgres();
  await prepare(logOptions(postgres));
  const settings = { database: 'postgres', pg_port: postgres.port, pg_password: 'secret' };
  await using gateway = await startGateway({ settings });
  await playAll(context, gateway.adminUrl, TOKENS);
});

const GONE = '00000000-0000-0000-0000-00000000dead';
const cannot = (what: string): unknown => ({
  code: 12,
  name: 'operation unsupported',
  message: `cannot ${what} when not using a database`,
});
const declared = {
  _format_version: '3.0',
  services: [{ name: 's', host: 'h' }],
  consumers: [{ username: 'bob', oauth2_credentials: [{ name: 'app', client_id: 'app' }] }],
};

const dbless: readonly Case[] = [
  { ask: 'POST /config', json: declared, status: 201 },
  { ask: 'GET /oauth2_tokens', status: 200, body: page() },
  { ask: 'GET /oauth2_tokens/a', status: 404, body: NOT_FOUND },
  { ask: 'GET /oauth2/app/oauth2_tokens', status: 200, body: page() },
  { ask: 'GET /services/s/oauth2_tokens', status: 200, body: page() },
  { ask: 'GET /services/none/oauth2_tokens', status: 404, body: NOT_FOUND },
  { ask: 'GET /oauth2_tokens/a/credential', status: 404, body: NOT_FOUND },
  { ask: 'POST /oauth2_tokens', json: {}, status: 405, body: cannot("create 'oauth2_tokens' entities") },
  {
    ask: 'POST /oauth2/app/oauth2_tokens',
    json: {},
    status: 405,
    body: cannot("create 'oauth2_tokens' entities"),
  },
  {
    ask: 'PUT /oauth2_tokens/a',
    json: {},
    status: 405,
    body: cannot("create or update 'oauth2_tokens' entities by 'access_token'"),
  },
  {
    ask: `PUT /oauth2_tokens/${GONE}`,
    json: {},
    status: 405,
    body: cannot("create or update 'oauth2_tokens' entities"),
  },
  { ask: 'PATCH /oauth2_tokens/a', json: {}, status: 404, body: having({ code: 6 }) },
  { ask: 'DELETE /oauth2_tokens/a', status: 204 },
  { ask: 'DELETE /oauth2/app/oauth2_tokens/a', status: 404, body: NOT_FOUND },
];

test('without a database', async (context) => {
  await using gateway = await startGateway({ settings: { database: 'off' } });
  await playAll(context, gateway.adminUrl, { dbless });
});

const withTokens = {
  _format_version: '3.0',
  consumers: [
    {
      username: 'bob',
      oauth2_credentials: [{ name: 'app', client_id: 'app', oauth2_tokens: [{ expires_in: 1 }] }],
    },
  ],
};

test('a declarative file cannot have tokens, and nothing is left of one that has', async (context) => {
  const refused = having({
    code: 14,
    message: /tokens are no configuration: write them to the Admin API of a node with a database/,
  });
  const cases: readonly Case[] = [
    { ask: 'POST /config', json: withTokens, status: 400, body: refused },
    { ask: 'GET /consumers', status: 200, body: page() },
    { ask: 'GET /oauth2_tokens', status: 200, body: page() },
  ];
  await using gateway = await startGateway({ settings: { database: 'off' } });
  await playAll(context, gateway.adminUrl, { cases });
});
