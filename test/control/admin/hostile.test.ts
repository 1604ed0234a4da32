/** What somebody sends who means harm: each of these once named the wrong entity, blocked the node or was a 500. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENDPOINTS } from '../../../src/control/admin/endpoints.ts';
import { definitionOf } from '../../../src/control/admin/kinds.ts';
import { type AdminServer, type Json, startAdmin } from '../support/admin-server.ts';

test('dots in a path name what is routed to, not what they came from', async () => {
  await using admin = await startAdmin();
  for (const name of ['one', 'two']) await admin.call('POST', '/services', { name, host: 'h' });
  for (const path of ['/services/one/../two', '/services/one/%2e%2e/two', '/x/../services/two']) {
    const { text } = await admin.raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    assert.equal((JSON.parse(text) as { name: unknown }).name, 'two', path);
  }
  const gone = 'DELETE /services/one/../two HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  assert.equal((await admin.raw(gone)).status, 204);
  assert.equal((await admin.call('GET', '/services/one')).status, 200);
  assert.equal((await admin.call('GET', '/services/two')).status, 404);
});

test('a secret that looks sealed is refused as Kong refuses what does not fit', async () => {
  await using admin = await startAdmin();
  await admin.call('PUT', '/consumers/c', {});
  const key = '$sluice$1$00000000$abc';
  const tries = [
    await admin.call('POST', '/consumers/c/key-auth', { key }),
    await admin.call('PUT', `/consumers/c/key-auth/${encodeURIComponent(key)}`, {}),
    await admin.call('POST', '/transactions', {
      writes: [{ op: 'create', path: '/consumers/c/key-auth', entity: { key } }],
    }),
  ];
  for (const { status, body } of tries) {
    assert.equal(status, 400, JSON.stringify(body));
    assert.deepEqual(body['fields'], { key: 'must not begin with $sluice$1$' });
  }
  assert.deepEqual(admin.errors, []);
});

const id = (prefix: string, n: number): string => `${prefix}-0000-4000-8000-${String(n).padStart(12, '0')}`;
const MEMBERS = 4000;

async function fillGroup(admin: AdminServer): Promise<number> {
  await admin.call('PUT', `/consumer_groups/${id('bbbbbbbb', 0)}`, { name: 'g' });
  const lines = Array.from({ length: MEMBERS }, (_, n) => [
    { op: 'create', kind: 'consumers', entity: { id: id('aaaaaaaa', n), username: `u${n}` } },
    {
      op: 'create',
      path: `/consumer_groups/${id('bbbbbbbb', 0)}/consumers`,
      entity: { consumer: { id: id('aaaaaaaa', n) } },
    },
  ]);
  const body = lines
    .flat()
    .map((line) => JSON.stringify(line))
    .join('\n');
  const { body: made } = await admin.call('POST', '/transactions', body, {
    'content-type': 'application/x-ndjson',
  });
  assert.equal(made['changes'], 2 * MEMBERS);
  return Number(made['revision']);
}

test('values that cannot become texts are no error of ours in any field', async () => {
  await using admin = await startAdmin();
  const value = { toString: {}, valueOf: {} };
  const kinds = ENDPOINTS.filter(({ shape }) => shape === 'entity').flatMap(({ kind }) => kind ?? []);
  for (const kind of kinds) {
    const { fields, subschema_key: chooser = '' } = definitionOf(kind);
    for (const name of [...Object.keys(fields), chooser, 'unknown', '__proto__']) {
      for (const given of [value, [value], { a: value }, { id: value }, { name: value }]) {
        const entity = Object.fromEntries([[name, given]]);
        const { status, text } = await admin.call('POST', '/transactions', {
          writes: [{ op: 'create', kind, entity }],
        });
        assert.ok(status < 500, `${kind}.${name} ${text}`);
      }
    }
  }
  assert.deepEqual(admin.errors, []);
});

test('an error names no secret', async () => {
  await using admin = await startAdmin();
  await admin.call('PUT', '/consumers/c', {});
  const key = 'hunter2-key';
  assert.equal((await admin.call('POST', '/consumers/c/key-auth', { key })).status, 201);
  const tries = [
    await admin.call('POST', '/consumers/c/key-auth', { key }),
    await admin.call('PATCH', '/key-auths/hunter2-other', { tags: ['x'] }),
    await admin.call('POST', '/transactions', {
      writes: [{ op: 'create', path: '/consumers/c/key-auth', entity: { key } }],
    }),
    await admin.call('POST', '/transactions', {
      writes: [{ op: 'patch', kind: 'keyauth_credentials', key: 'hunter2-other', entity: {} }],
    }),
  ];
  assert.deepEqual(
    tries.map(({ status }) => status),
    [409, 404, 409, 404],
  );
  for (const { text } of tries) assert.doesNotMatch(text, /hunter2/);
  assert.deepEqual(tries[0]?.body['fields'], { key: '******' });
});

/** How many requests, one after the other, are answered while another one is. */
async function answeredDuring(admin: AdminServer, slow: Promise<unknown>): Promise<number> {
  let ended = false;
  const end = slow.finally(() => (ended = true));
  let answered = 0;
  for (; !ended; answered++) await admin.call('GET', '/services?size=1');
  await end;
  return answered;
}

test('who deletes what has very many children, or all of them, lets others go on', async () => {
  await using admin = await startAdmin();
  await fillGroup(admin);
  const dry = admin.call('DELETE', '/consumer_groups/g/consumers?dry_run=1');
  const duringMembers = await answeredDuring(admin, dry);
  assert.equal((await dry).status, 204);
  const removal = admin.call('DELETE', '/consumer_groups/g');
  const during = await answeredDuring(admin, removal);
  assert.equal((await removal).status, 204);
  assert.equal(admin.store.count('consumer_group_consumers'), 0);
  assert.ok(during > 4 && duringMembers > 4, `answered meanwhile: ${during}, ${duringMembers}`);
});

test('what a large commit has changed is read page by page', async () => {
  await using admin = await startAdmin();
  const revision = await fillGroup(admin);
  const all = admin.store.changes(revision)?.map((change) => `${change.kind} ${change.id}`);
  const shown: string[] = [];
  let next: unknown = `/revisions/${revision}/diff?size=999`;
  while (typeof next === 'string') {
    const { body } = await admin.call('GET', next);
    for (const one of body['data'] as Array<{ kind: string; id: string }>)
      shown.push(`${one.kind} ${one.id}`);
    next = body['next'];
  }
  assert.equal(shown.length, 2 * MEMBERS);
  assert.deepEqual(shown, all);
});

const many = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));

test('one entity with very many values is refused, or others go on meanwhile', async () => {
  await using admin = await startAdmin({ settings: { nginx_admin_client_max_body_size: 0 } });
  const unknown = Object.fromEntries(many(20_000, (n) => [`f${n}`, 1]));
  const fields = await admin.call('POST', '/services', { host: 'h', ...unknown });
  assert.equal(fields.status, 400);
  assert.ok(fields.text.length < 200_000, `${fields.text.length} octets`);
  assert.match(String(fields.body['message']), /further errors are not listed/);
  const refused: ReadonlyArray<readonly [path: string, body: Json, field: string, message: RegExp]> = [
    ['/services', { host: 'h', tags: many(100_001, (n) => `t${n}`) }, 'tags', /100000/],
    ['/routes', { headers: Object.fromEntries(many(60_000, (n) => [`h${n}`, ['v']])) }, 'headers', /100000/],
    ['/routes', { paths: many(2001, (n) => `~/${n}$`) }, 'paths', /2000 regexes/],
    ['/routes', { headers: { x: many(1, () => '~*a') } }, '', /^$/],
  ];
  for (const [path, body, field, message] of refused) {
    const { status, body: answer } = await admin.call('POST', path, body);
    if (field === '') assert.equal(status, 201);
    else assert.match(JSON.stringify((answer['fields'] as Json)[field]), message, field);
  }
  const tags = many(20_000, (n) => `t${n}`);
  const creation = admin.call('POST', '/services', { name: 'tagged', host: 'h', tags });
  const during = await answeredDuring(admin, creation);
  assert.equal((await creation).status, 201);
  assert.ok(during > 4, `answered meanwhile: ${during}`);
  assert.deepEqual((await admin.call('GET', '/services/tagged')).body['tags'], tags);
  const removal = admin.call('DELETE', '/services/tagged');
  assert.ok((await answeredDuring(admin, removal)) > 4);
  assert.equal((await removal).status, 204);
});
