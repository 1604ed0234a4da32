/** One plugin that says who calls, over HTTP/2: what lets in, what does not, and what the upstream is told. */
import assert from 'node:assert/strict';
import type { OutgoingHttpHeaders } from 'node:http2';
import { test } from 'node:test';
import type { PlaneOptions } from '../../support/data-plane.ts';
import { Http2Client, startHttp2Plane } from '../../support/http2-plane.ts';
import { freePort } from '../../support/ports.ts';
import { type Echo, startEcho } from '../../support/upstream.ts';
import { testId } from '../support.ts';

export const ANNA = testId(1);
export const KEY = testId(5);

const consumer = (id: string, username: string): NonNullable<PlaneOptions['entities']>[number] => ({
  kind: 'consumers',
  entity: { id, username, custom_id: null, tags: null, created_at: 1, updated_at: 1 },
});
const own = { consumer: { id: ANNA }, tags: null, created_at: 1 };
const ENTITIES: NonNullable<PlaneOptions['entities']> = [
  consumer(ANNA, 'anna'),
  consumer(testId(2), 'nobody'),
  { kind: 'acls', entity: { ...own, id: testId(6), group: 'staff' } },
  { kind: 'keyauth_credentials', entity: { ...own, id: KEY, key: 'k-1', ttl: null } },
  {
    kind: 'oauth2_credentials',
    entity: {
      ...own,
      id: testId(3),
      name: 'app',
      client_id: 'app',
      client_secret: 'app-secret',
      hash_secret: false,
      redirect_uris: null,
      client_type: 'confidential',
    },
  },
];

/** What a client makes up. */
export const SPOOFED = {
  'x-consumer-id': 'eve',
  'x-consumer-username': 'eve',
  'x-consumer-custom-id': 'eve',
  'x-credential-identifier': 'eve',
  'x-authenticated-userid': 'eve',
  'x-authenticated-scope': 'eve',
  'x-authenticated-groups': 'eve',
  'x-anonymous-consumer': 'true',
};

export interface Scene {
  readonly plane: PlaneOptions;
  /** Of the client; null: TLS without one. There is no TLS unless said. */
  readonly certificate?: { readonly cert: string; readonly key: string } | null;
  readonly good: OutgoingHttpHeaders | ((client: Http2Client) => Promise<OutgoingHttpHeaders>);
  /** On a connection without a certificate. */
  readonly bad: OutgoingHttpHeaders;
  readonly refused: number;
  readonly told: Readonly<Record<string, string>>;
}

export interface Case {
  readonly name: string;
  readonly scene: (use: AsyncDisposableStack) => Scene | Promise<Scene>;
}

export const ANNAS = { 'x-consumer-username': 'anna', 'x-consumer-id': ANNA };

export function testScene({ name, scene }: Case): void {
  test(name, async () => {
    await using use = new AsyncDisposableStack();
    const { plane: options, certificate, good, bad, refused, told } = await scene(use);
    await using upstream = await startEcho();
    const isSecure = certificate !== undefined;
    const listen = { proxy_listen: `127.0.0.1:${await freePort()} ${isSecure ? 'ssl ' : ''}http2` };
    const settings = { ...listen, ...options.settings };
    await using plane = await startHttp2Plane(upstream.port, { entities: ENTITIES, ...options, settings });
    await using client = new Http2Client(plane.port, isSecure ? { ...certificate } : null);
    await using other = new Http2Client(plane.port, isSecure ? {} : null);
    const shown = typeof good === 'function' ? await good(client) : good;
    const before = upstream.requests;
    const base = { ':path': '/', ':authority': 'a.test', ...SPOOFED };
    // At once: none is taken for another.
    const [first, kept, second] = await Promise.all([
      client.ask({ ...base, ...shown }),
      (certificate ? other : client).ask({ ...base, ...bad }),
      client.ask({ ...base, ...shown }),
    ]);
    assert.equal(kept.status, refused, kept.body.toString());
    assert.equal(upstream.requests, before + 2);
    for (const { status, body } of [first, second]) {
      assert.equal(status, 200, body.toString());
      const { headers } = JSON.parse(body.toString()) as Echo;
      const identity = Object.keys(SPOOFED).filter((key) => headers[key] !== undefined);
      assert.deepEqual(Object.fromEntries(identity.map((key) => [key, headers[key]])), told);
    }
    assert.equal(client.goaways + other.goaways, 0);
  });
}
