/** acl, ip-restriction and bot-detection through sockets. Facts: Kong 3.9's plugins and their tests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '../../src/plugins/kit/exchange.ts';
import { startPlane, type PlaneOptions } from '../support/data-plane.ts';
import { ask, startMirror, testId } from './support.ts';

const ANNA = testId(10);
const BERT = testId(11);
const NOBODY = testId(12);

function row(kind: string, entity: object): NonNullable<PlaneOptions['entities']>[number] {
  return { kind, entity: { tags: null, created_at: 1, ...entity } };
}
function consumer(id: string, username: string): ReturnType<typeof row> {
  return row('consumers', { id, username, custom_id: null, updated_at: 1 });
}
const ENTITIES = [
  consumer(ANNA, 'anna'),
  consumer(BERT, 'bert'),
  consumer(NOBODY, 'nobody'),
  row('keyauth_credentials', { id: testId(20), consumer: { id: ANNA }, key: 'anna', ttl: null }),
  row('keyauth_credentials', { id: testId(21), consumer: { id: BERT }, key: 'bert', ttl: null }),
  row('acls', { id: testId(30), consumer: { id: ANNA }, group: 'admin' }),
  row('acls', { id: testId(31), consumer: { id: ANNA }, group: 'größe' }),
  row('consumer_groups', { id: testId(40), name: 'gold', updated_at: 1 }),
  row('consumer_group_consumers', {
    id: testId(41),
    consumer: { id: ANNA },
    consumer_group: { id: testId(40) },
    updated_at: 1,
  }),
  row('consumer_group_consumers', {
    id: testId(42),
    consumer: { id: BERT },
    consumer_group: { id: testId(40) },
    updated_at: 1,
  }),
];

/** Authenticates as the test says in headers of its own: a credential of nobody, groups that were found. */
const STAND_IN = {
  name: 'stand-in',
  priority: 1200,
  filters: {
    access(exchange: Exchange): void {
      const { headers } = exchange.request;
      if (headers.has('no-consumer')) exchange.authenticate(null, { id: testId(50), consumerId: null });
      if (headers.has('found'))
        exchange.authenticatedGroups = (headers.get('found') ?? '').split(' ').filter(Boolean);
    },
  },
};

const UNWELCOME = 'You cannot consume this service';
/** Who asks: a key, or headers of the stand-in. */
type AclCase = readonly [
  config: object,
  headers: readonly string[],
  status: number,
  consumerGroups?: string | undefined,
  authenticatedGroups?: string,
];

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const GROUPS = utf8('admin, größe');
const ACL: readonly AclCase[] = [
  [{ allow: ['admin'] }, ['apikey: anna'], 200, GROUPS],
  [{ allow: ['x', 'größe'] }, ['apikey: anna'], 200, GROUPS],
  [{ allow: ['admin'], hide_groups_header: true }, ['apikey: anna'], 200],
  [{ allow: ['Admin'] }, ['apikey: anna'], 403],
  [{ allow: ['admin'] }, ['apikey: bert'], 403],
  [{ allow: ['admin'] }, ['apikey: unknown'], 401],
  [{ allow: ['admin'] }, ['apikey: unknown', 'X-Consumer-Groups: admin'], 401],
  [{ deny: ['admin'] }, ['apikey: anna'], 403],
  [{ deny: ['x'] }, ['apikey: anna'], 200, GROUPS],
  [{ deny: ['admin'] }, ['apikey: bert', 'X-Consumer-Groups: spoofed', 'x_consumer_groups: spoofed'], 200],
  [{ deny: ['admin'] }, ['apikey: unknown'], 200],
  // Groups that a plugin found.
  [{ allow: ['admin'] }, ['No-Consumer: 1'], 403],
  [{ deny: ['admin'] }, ['No-Consumer: 1'], 403],
  [{ allow: ['found'] }, ['No-Consumer: 1', 'Found: found other'], 200, undefined, 'found, other'],
  [{ allow: ['found'] }, ['No-Consumer: 1', 'Found: other'], 403],
  [{ allow: ['found'] }, ['No-Consumer: 1', 'Found:'], 403],
  [{ deny: ['found'] }, ['No-Consumer: 1', 'Found: found'], 403],
  [{ deny: ['found'] }, ['No-Consumer: 1', 'Found: other'], 200, undefined, 'other'],
  [{ allow: ['found'] }, ['apikey: unknown', 'Found: found'], 200, undefined, 'found'],
  [{ allow: ['found'] }, ['apikey: anna', 'Found: found'], 403],
  [{ allow: ['admin'] }, ['apikey: anna', 'Found: found'], 200, GROUPS],
  [
    { allow: ['found'], always_use_authenticated_groups: true },
    ['apikey: anna', 'Found: found'],
    200,
    undefined,
    'found',
  ],
  [{ allow: ['admin'], always_use_authenticated_groups: true }, ['apikey: anna'], 200, GROUPS],
  // Consumer groups, where they count.
  [{ allow: ['gold'] }, ['apikey: bert'], 403],
  [{ allow: ['gold'], include_consumer_groups: true }, ['apikey: bert'], 200, 'gold'],
  [{ deny: ['gold'], include_consumer_groups: true }, ['apikey: anna'], 403],
  [{ allow: ['admin'], include_consumer_groups: true }, ['apikey: anna'], 200, `${GROUPS}, gold`],
];

test('acl', async () => {
  await using upstream = await startMirror();
  for (const [config, headers, status, consumerGroups, authenticatedGroups] of ACL) {
    const plugins = [
      { name: 'key-auth', config: { anonymous: 'nobody' } },
      STAND_IN,
      { name: 'acl', config },
    ];
    await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins });
    const answer = await ask(plane.port, { headers });
    const what = JSON.stringify([config, headers]);
    assert.equal(answer.status, status, what);
    if (status !== 200) {
      assert.equal(answer.message, status === 403 ? UNWELCOME : 'Unauthorized', what);
      continue;
    }
    assert.equal(answer.got.headers['x-consumer-groups'], consumerGroups, what);
    assert.equal(answer.got.headers['x-authenticated-groups'], authenticatedGroups, what);
    assert.doesNotMatch(JSON.stringify(answer.got.headers), /spoofed/, what);
  }
});

test('acl where nobody authenticates', async () => {
  await using upstream = await startMirror();
  for (const config of [{ allow: ['admin'] }, { deny: ['admin'] }]) {
    await using plane = await startPlane(upstream.port, { plugins: [{ name: 'acl', config }] });
    const { status, message } = await ask(plane.port, {
      headers: ['X-Consumer-Groups: admin', `X-Consumer-ID: ${ANNA}`],
    });
    assert.equal(status, 401);
    assert.equal(message, 'Unauthorized');
  }
});

test('acl: a group that is taken away is gone with the next request', async () => {
  await using upstream = await startMirror();
  const plugins = [{ name: 'key-auth' }, { name: 'acl', config: { allow: ['admin'] } }];
  await using plane = await startPlane(upstream.port, { entities: ENTITIES, plugins });
  assert.equal((await ask(plane.port, { headers: ['apikey: anna'] })).status, 200);
  plane.directory.remove('acls', testId(30));
  assert.equal((await ask(plane.port, { headers: ['apikey: anna'] })).status, 403);
});

/** The client's address, as a proxy in front says it. */
const ADDRESSES: ReadonlyArray<readonly [config: object, ip: string, allowed: boolean]> = [
  [{ allow: ['10.0.0.0/8'] }, '10.1.2.3', true],
  [{ allow: ['10.0.0.0/8'] }, '11.0.0.1', false],
  [{ allow: ['10.0.0.1'] }, '10.0.0.1', true],
  [{ allow: ['10.0.0.1'] }, '10.0.0.2', false],
  [{ deny: ['10.0.0.1'] }, '10.0.0.1', false],
  [{ deny: ['10.0.0.1'] }, '10.0.0.2', true],
  [{ allow: ['10.0.0.0/8'], deny: ['10.0.0.1'] }, '10.0.0.1', false],
  [{ allow: ['10.0.0.0/8'], deny: ['10.0.0.1'] }, '10.0.0.2', true],
  [{ allow: ['0.0.0.0/0'] }, '1.2.3.4', true],
  [{ allow: ['0.0.0.0/0'] }, '::1', false],
  [{ allow: ['::/0'] }, '::1', true],
  [{ allow: ['::/0'] }, '1.2.3.4', false],
  [{ allow: ['2001:db8::/32'] }, '2001:DB8:1::1', true],
  [{ allow: ['2001:db8::/32'] }, '2001:db9::1', false],
  [{ allow: ['10.0.0.0/8'] }, '::ffff:10.0.0.1', true],
  [{ deny: ['::ffff:10.0.0.0/104'] }, '10.9.9.9', false],
  [{ allow: [], deny: ['10.0.0.1'] }, '10.0.0.2', true],
];

test('ip-restriction', async () => {
  await using upstream = await startMirror();
  const settings = { trusted_ips: '127.0.0.1', real_ip_header: 'X-Real-IP' };
  for (const [config, ip, allowed] of ADDRESSES) {
    const custom = { ...config, status: 451, message: 'not here' };
    for (const [plugin, status, message] of [
      [config, 403, `IP address not allowed: ${ip.toLowerCase()}`],
      [custom, 451, 'not here'],
    ] as const) {
      await using plane = await startPlane(upstream.port, {
        settings,
        plugins: [{ name: 'ip-restriction', config: plugin }],
      });
      const answer = await ask(plane.port, { headers: [`X-Real-IP: ${ip}`] });
      const what = JSON.stringify([plugin, ip]);
      assert.equal(answer.status, allowed ? 200 : status, what);
      if (!allowed) assert.equal(answer.message?.toLowerCase(), message.toLowerCase(), what);
    }
  }
});

const BROWSER =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/50.0.2661.102 Safari/537.36';
const AGENTS: ReadonlyArray<readonly [agents: readonly string[], status: number, config?: object]> = [
  [[], 200],
  [[''], 200],
  [[BROWSER], 200],
  [['curl/7.43.0'], 200],
  [['helloworld'], 200],
  [['Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36'], 200],
  [['Googlebot/2.1 (+http://www.google.com/bot.html)'], 403],
  [['facebookexternalhit/1.1'], 403],
  [['axios/1.7.2'], 403],
  [['Go-http-client/1.1'], 403],
  [['Python-urllib/3.12'], 403],
  [['my-crawler'], 403],
  [['SomeBot/1.0'], 403],
  [['aws-sdk-go/1.44.1 (go1.18; linux; amd64)'], 403],
  [['Zao/0.1'], 403],
  [['not Zao/0.1'], 200],
  [['Mail.RU_Bot/2.0'], 403],
  [['Yahoo! Slurp'], 403],
  [['Grub/2'], 403],
  [['Grub'], 200],
  [['helloworld'], 403, { deny: ['hello'] }],
  [['HelloWorld'], 403, { deny: ['(?i)hello'] }],
  [['facebookexternalhit/1.1'], 200, { allow: ['facebookexternalhit'] }],
  [['hello facebookexternalhit/1.1'], 200, { allow: ['facebookexternalhit'], deny: ['hello'] }],
  [[BROWSER, BROWSER], 400],
  [['x'.repeat(5000)], 200],
  [[`${'x'.repeat(5000)}hello`], 403, { deny: ['hello$'] }],
];

test('bot-detection', async () => {
  await using upstream = await startMirror();
  for (const [agents, status, config = {}] of AGENTS) {
    await using plane = await startPlane(upstream.port, { plugins: [{ name: 'bot-detection', config }] });
    // The second time it is remembered.
    for (let round = 0; round < 2; round++) {
      const answer = await ask(plane.port, { headers: agents.map((agent) => `User-Agent: ${agent}`) });
      assert.equal(answer.status, status, agents.join());
      if (status === 403) assert.equal(answer.message, 'Forbidden');
      if (status === 400) assert.equal(answer.message, 'Only one User-Agent header allowed');
    }
  }
});
