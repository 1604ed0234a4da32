/** decK's dump, sync and diff against the real gateway, by a stand-in that makes decK's requests (`support/deck.ts`). */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { EC_CA_CERT, EC_KEY, EC_PUBLIC_KEY, RSA_CERT, RSA_KEY } from '../../src/entities/pem.fixture.ts';
import { startGateway } from '../support/gateway.ts';
import { SQLITE } from './support/cases.ts';
import { Deck, type Entity, type State } from './support/deck.ts';

const TAGS = ['team-a', 'prod'];
const made = <T extends object>(entity: T): T & { id: string } => ({ id: randomUUID(), ...entity });
const to = ({ id }: { readonly id: string }): Entity => ({ id });

/** Some of every kind that decK manages, as its state file says it. */
function wanted() {
  const service = made({ name: 's', host: 'u', port: 80, protocol: 'http', retries: 5, tags: TAGS });
  const upstream = made({ name: 'u', algorithm: 'round-robin', slots: 10000, tags: TAGS });
  const consumer = made({ username: 'c', tags: TAGS });
  const group = made({ name: 'gold', tags: TAGS });
  const certificate = made({ cert: RSA_CERT, key: RSA_KEY, tags: TAGS });
  const set = made({ name: 'set', tags: TAGS });
  const owned = { consumer: to(consumer), tags: TAGS };
  return {
    services: [service],
    routes: [made({ name: 'r', paths: ['/r'], protocols: ['http'], service: to(service), tags: TAGS })],
    upstreams: [upstream],
    targets: [made({ target: 'a.test:80', weight: 100, upstream: to(upstream), tags: TAGS })],
    consumers: [consumer],
    consumer_groups: [group],
    members: [{ group: group.id, consumer: consumer.id }],
    'key-auths': [made({ key: 'k', ...owned })],
    'basic-auths': [made({ username: 'b', password: 'p', ...owned })],
    'hmac-auths': [made({ username: 'h', secret: 's', ...owned })],
    jwts: [made({ key: 'j', secret: 's', algorithm: 'HS256', ...owned })],
    oauth2: [
      made({ name: 'o', client_id: 'i', client_secret: 's', redirect_uris: ['http://a.test'], ...owned }),
    ],
    acls: [made({ group: 'g', ...owned })],
    certificates: [certificate],
    snis: [made({ name: 'a.test', certificate: to(certificate), tags: TAGS })],
    ca_certificates: [made({ cert: EC_CA_CERT, tags: TAGS })],
    vaults: [made({ name: 'env', prefix: 'my-env', config: { prefix: 'X_' }, tags: TAGS })],
    'key-sets': [set],
    keys: [
      made({
        name: 'k',
        kid: 'k',
        set: to(set),
        pem: { public_key: EC_PUBLIC_KEY, private_key: EC_KEY },
        tags: TAGS,
      }),
    ],
  } satisfies State;
}

const sizes = (state: State): Record<string, number> =>
  Object.fromEntries(
    Object.entries(state)
      .filter(([, list]) => list.length > 0)
      .map(([kind, list]) => [kind, list.length]),
  );

/** What decK's diff would tell: fields of the wanted state that the dump has otherwise. A password it cannot compare. */
function diff(state: State, dumped: State): string[] {
  return Object.entries(state).flatMap(([kind, entities]) =>
    entities.flatMap((entity) => {
      const found = dumped[kind]?.find((one) =>
        kind === 'members' ? one['consumer'] === entity['consumer'] : one['id'] === entity['id'],
      );
      if (found === undefined) return [`${kind} ${JSON.stringify(entity)} is not there`];
      return Object.entries(entity).flatMap(([name, value]) => {
        const same = isDeepStrictEqual(found[name], value);
        return same || name === 'password' ? [] : [`${kind}.${name}: ${JSON.stringify(found[name])}`];
      });
    }),
  );
}

test('sync from nothing, dump, diff, change, and removal', async () => {
  await using gateway = await startGateway(SQLITE);
  const deck = new Deck(gateway.adminUrl, TAGS);
  const { version, database } = await deck.ping();
  assert.match(version, /^3\.\d+\.\d+$/);
  assert.notEqual(database, 'off', 'decK would send the whole configuration to /config');
  assert.deepEqual(sizes(await deck.dump()), {});

  const state = wanted();
  await deck.create(state);
  // A target that is not there is created after the 404 of its PUT, with its id.
  const [target] = state.targets;
  const upstream = String(target?.upstream['id']);
  assert.ok(deck.asked.includes(`PUT /upstreams/${upstream}/targets/${String(target?.id)}`));
  assert.ok(deck.asked.includes(`POST /upstreams/${upstream}/targets`));
  const dumped = await deck.dump();
  assert.deepEqual(sizes(dumped), sizes(state));
  assert.deepEqual(diff(state, dumped), []);

  const changed = {
    services: [{ ...state.services[0], retries: 3 }],
    routes: [{ ...state.routes[0], paths: ['/r', '/s'] }],
    targets: [{ ...state.targets[0], weight: 7 }],
    consumer_groups: [{ ...state.consumer_groups[0], tags: [...TAGS, 'more'] }],
    'key-auths': [{ ...state['key-auths'][0], key: 'other' }],
    certificates: [{ ...state.certificates[0], tags: [...TAGS, 'more'] }],
  };
  await deck.update(changed);
  assert.deepEqual(diff({ ...state, ...changed, snis: [] }, await deck.dump()), []);

  await deck.remove(state);
  assert.deepEqual(sizes(await deck.dump()), {});
});

test('what has other tags is not seen, and pages are walked by offset', async () => {
  await using gateway = await startGateway(SQLITE);
  const all = new Deck(gateway.adminUrl);
  const consumers = Array.from({ length: 1001 }, (_, n) =>
    made({ username: `u${n}`, tags: n < 2 ? TAGS : ['other'] }),
  );
  const writes = consumers.map((entity) => ({ op: 'create', kind: 'consumers', entity }));
  const loaded = await fetch(`${gateway.adminUrl}/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ writes }),
  });
  assert.equal(loaded.status, 200, await loaded.text());
  assert.equal((await all.dump())['consumers']?.length, 1001);
  assert.ok(all.asked.some((asked) => asked.startsWith('GET /consumers?offset=')));
  assert.equal((await new Deck(gateway.adminUrl, TAGS).dump())['consumers']?.length, 2);
  assert.equal((await new Deck(gateway.adminUrl, ['team-a', 'other']).dump())['consumers']?.length, 0);
});

test('the defaults that decK fills in are those of the schemas, and of what is created', async () => {
  await using gateway = await startGateway(SQLITE);
  const deck = new Deck(gateway.adminUrl);
  const inputs: Readonly<Record<string, Entity>> = {
    services: { host: 'h' },
    routes: { paths: ['/x'] },
    upstreams: { name: 'u' },
    consumers: { username: 'c' },
  };
  for (const [kind, input] of Object.entries(inputs)) {
    await deck.create({ [kind]: [made(input)] });
    const [created] = (await deck.dump())[kind] ?? [];
    for (const [name, value] of Object.entries(await deck.defaults(kind))) {
      if (typeof value === 'object' && !Array.isArray(value)) continue;
      assert.deepEqual(created?.[name], value, `${kind}.${name}`);
    }
  }
});
