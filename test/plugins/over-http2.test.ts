/** Plugins that say who calls, and who may, over HTTP/2: with what lets in, and without it. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import type { PlaneOptions } from '../support/data-plane.ts';
import { Http2Client, startHttp2Plane } from '../support/http2-plane.ts';
import type { ConfiguredPlugin } from '../support/plugins.ts';
import { hmac, token } from '../support/tokens.ts';
import { startEcho } from '../support/upstream.ts';
import { testId } from './support.ts';

const ANNA = testId(1);

const row = (kind: string, id: number, fields: object): NonNullable<PlaneOptions['entities']>[number] => ({
  kind,
  entity: { id: testId(id), consumer: { id: ANNA }, tags: null, created_at: 1, ...fields },
});

const ENTITIES: NonNullable<PlaneOptions['entities']> = [
  {
    kind: 'consumers',
    entity: { id: ANNA, username: 'anna', custom_id: null, tags: null, created_at: 1, updated_at: 1 },
  },
  row('keyauth_credentials', 2, { key: 'k-1', ttl: null }),
  // Kong's SHA-1 of password and consumer.
  row('basicauth_credentials', 3, {
    username: 'anna',
    password: createHash('sha1').update(`open${ANNA}`).digest('hex'),
  }),
  row('jwt_secrets', 4, { key: 'iss', secret: 'sssh', rsa_public_key: null, algorithm: 'HS256' }),
  row('hmacauth_credentials', 5, { username: 'anna', secret: 's3cret' }),
  row('acls', 6, { group: 'staff' }),
];

const date = new Date().toUTCString();
const signature = createHmac('sha256', 's3cret').update(`x-date: ${date}`).digest('base64');
const bearer = token({ alg: 'HS256', typ: 'JWT' }, { iss: 'iss' }, hmac('sha256', 'sssh'));
const key: ConfiguredPlugin = { name: 'key-auth' };

interface Case {
  readonly name: string;
  readonly plugins: readonly ConfiguredPlugin[];
  readonly good: OutgoingHttpHeaders;
  readonly bad: OutgoingHttpHeaders;
  readonly refused: number;
  /** Who the upstream is told that calls; null: nobody. */
  readonly who: string | null;
}

const CASES: readonly Case[] = [
  {
    name: 'key-auth',
    plugins: [key],
    good: { apikey: 'k-1' },
    bad: { apikey: 'k-2' },
    refused: 401,
    who: 'anna',
  },
  {
    name: 'key-auth in the query',
    plugins: [key],
    good: { ':path': '/?apikey=k-1' },
    bad: { ':path': '/?apikey=' },
    refused: 401,
    who: 'anna',
  },
  {
    name: 'basic-auth',
    plugins: [{ name: 'basic-auth' }],
    good: { authorization: `Basic ${Buffer.from('anna:open').toString('base64')}` },
    bad: { authorization: `Basic ${Buffer.from('anna:shut').toString('base64')}` },
    refused: 401,
    who: 'anna',
  },
  {
    name: 'jwt',
    plugins: [{ name: 'jwt' }],
    good: { authorization: `Bearer ${bearer}` },
    bad: { authorization: `Bearer ${bearer.slice(0, -4)}AAAA` },
    refused: 401,
    who: 'anna',
  },
  {
    name: 'jwt in one of several cookies that HTTP/2 sends apart',
    plugins: [{ name: 'jwt', config: { cookie_names: ['token'] } }],
    good: { cookie: ['a=b', `token=${bearer}`] },
    bad: { cookie: ['a=b', 'token=x'] },
    refused: 401,
    who: 'anna',
  },
  {
    name: 'hmac-auth',
    plugins: [{ name: 'hmac-auth' }],
    good: {
      'x-date': date,
      authorization: `hmac username="anna", algorithm="hmac-sha256", headers="x-date", signature="${signature}"`,
    },
    bad: {
      'x-date': date,
      authorization: 'hmac username="anna", algorithm="hmac-sha256", headers="x-date", signature="AAAA"',
    },
    refused: 401,
    who: 'anna',
  },
  {
    name: 'acl',
    plugins: [key, { name: 'acl', config: { allow: ['staff'] } }],
    good: { apikey: 'k-1' },
    bad: {},
    refused: 401,
    who: 'anna',
  },
  {
    name: 'acl that denies',
    plugins: [key, { name: 'acl', config: { deny: ['others'] } }, { name: 'bot-detection' }],
    good: { apikey: 'k-1', 'user-agent': 'browser' },
    bad: { apikey: 'k-1', 'user-agent': 'facebookexternalhit/1.1' },
    refused: 403,
    who: 'anna',
  },
  {
    name: 'bot-detection',
    plugins: [{ name: 'bot-detection', config: { deny: ['^curl'] } }],
    good: { 'user-agent': 'browser' },
    bad: { 'user-agent': 'curl/8' },
    refused: 403,
    who: null,
  },
];

for (const { name, plugins, good, bad, refused, who } of CASES) {
  test(name, async () => {
    await using upstream = await startEcho();
    await using plane = await startHttp2Plane(upstream.port, { plugins, entities: ENTITIES });
    await using client = new Http2Client(plane.port);
    // All on one connection, and at once: none is taken for another.
    const spoofed = { 'x-consumer-username': 'eve' };
    const [let1, kept, let2] = await Promise.all([
      client.ask({ ':path': '/', ...good }),
      client.ask({ ':path': '/', ...spoofed, ...bad }),
      client.ask({ ':path': '/', ...(who === null ? {} : spoofed), ...good }),
    ]);
    assert.equal(kept.status, refused);
    assert.match(kept.body.toString(), /"message":/);
    for (const { status, body } of [let1, let2]) {
      assert.equal(status, 200, body.toString());
      const { headers } = JSON.parse(body.toString()) as { headers: Record<string, unknown> };
      assert.equal(headers['x-consumer-username'] ?? null, who);
    }
    assert.equal(client.goaways, 0);
  });
}
