/** Several plugins that authenticate on one route: each must let in, or one may (`anonymous`). Facts: Kong 3.9's tests. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { startPlane, type PlaneOptions } from '../support/data-plane.ts';
import { ask, startMirror, testId } from './support.ts';

const MICKEY = testId(10);
const ALADDIN = testId(11);
const NOBODY = testId(12);

function row(kind: string, entity: object): NonNullable<PlaneOptions['entities']>[number] {
  return { kind, entity: { tags: null, created_at: 1, ...entity } };
}
function consumer(id: string, username: string): ReturnType<typeof row> {
  return row('consumers', { id, username, custom_id: null, updated_at: 1 });
}
const password = createHash('sha1').update(`OpenSesame${ALADDIN}`).digest('hex');
const ENTITIES = [
  consumer(MICKEY, 'mickey'),
  consumer(ALADDIN, 'aladdin'),
  consumer(NOBODY, 'nobody'),
  row('keyauth_credentials', { id: testId(20), consumer: { id: MICKEY }, key: 'mouse', ttl: null }),
  row('basicauth_credentials', { id: testId(21), consumer: { id: ALADDIN }, username: 'aladdin', password }),
];

const KEY = 'apikey: mouse';
const PASSWORD = `Authorization: Basic ${Buffer.from('aladdin:OpenSesame').toString('base64')}`;
const anonymous = { anonymous: 'nobody' };

type Plugins = NonNullable<PlaneOptions['plugins']>;
const AND: Plugins = [{ name: 'key-auth' }, { name: 'basic-auth' }];
const OR: Plugins = [
  { name: 'key-auth', config: anonymous },
  { name: 'basic-auth', config: anonymous },
];
/** A key is a must, a password may come on top. */
const MIXED: Plugins = [{ name: 'key-auth' }, { name: 'basic-auth', config: anonymous }];

const BASIC = 'Basic realm="service"';

/** Who the upstream is told of, or the challenge of the plugin that refused. */
const CASES: ReadonlyArray<
  readonly [plugins: Plugins, headers: readonly string[], who: string | null, challenge?: string]
> = [
  [AND, [KEY, PASSWORD], 'aladdin'],
  [AND, [KEY], null, BASIC],
  [AND, [PASSWORD], null, 'Key'],
  [AND, [], null, 'Key'],
  [OR, [KEY, PASSWORD], 'mickey'],
  [OR, [KEY], 'mickey'],
  [OR, [PASSWORD], 'aladdin'],
  [OR, [], 'nobody'],
  [OR, ['apikey: x', PASSWORD], 'aladdin'],
  [OR, ['apikey: x', 'Authorization: Basic x'], 'nobody'],
  [MIXED, [KEY], 'mickey'],
  [MIXED, [KEY, PASSWORD], 'mickey'],
  [MIXED, [PASSWORD], null, 'Key'],
];

test('and, or, and both', async () => {
  await using upstream = await startMirror();
  for (const [plugins, headers, who, challenge] of CASES) {
    await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins });
    const what = `${JSON.stringify(plugins)} ${headers.join(', ')}`;
    const answer = await ask(plane.port, { headers });
    assert.equal(answer.status, who === null ? 401 : 200, what);
    assert.equal(answer.header('www-authenticate'), challenge ?? null, what);
    if (who === null) continue;
    const { headers: got } = answer.got;
    assert.equal(got['x-consumer-username'], who, what);
    assert.equal(got['x-anonymous-consumer'], who === 'nobody' ? 'true' : undefined, what);
    assert.equal(got['x-credential-identifier'] === undefined, who === 'nobody', what);
  }
});

test('without a consumer nobody is let in: acl behind "or" refuses the anonymous one', async () => {
  await using upstream = await startMirror();
  const plugins = [...OR, { name: 'acl', config: { allow: ['staff'] } }];
  const entities = [...ENTITIES, row('acls', { id: testId(30), consumer: { id: MICKEY }, group: 'staff' })];
  await using plane = await startPlane(upstream.port, { entities, plugins });
  assert.equal((await ask(plane.port, { headers: [KEY] })).status, 200);
  assert.equal((await ask(plane.port, { headers: [PASSWORD] })).status, 403);
  assert.equal((await ask(plane.port)).status, 401);
});
