/** Ids that Kong's own loader (its master of July 2026) gives to the entities of this file, for every kind that it derives ids for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectItems } from './items.ts';
import { Problems } from './problems.ts';
import { References } from './references.ts';

const CERTIFICATE = '11111111-2222-4333-8444-555555555555';
const cors = { name: 'cors' };
const jwk = '{vault://env/jwk}';

const FILE = {
  workspaces: [{ name: 'default' }],
  services: [
    { name: 's', host: 'a', plugins: [cors], routes: [{ name: 'r', paths: ['/'], plugins: [cors] }] },
  ],
  routes: [{ name: 'flat', paths: ['/'], service: 's' }],
  plugins: [cors, { ...cors, service: 's', route: 'r' }, { name: 'key-auth', instance_name: 'i' }],
  consumers: [
    {
      username: 'c',
      acls: [{ group: 'g' }],
      basicauth_credentials: [{ username: 'b', password: 'p' }],
      hmacauth_credentials: [{ username: 'h', secret: 's' }],
    },
  ],
  acls: [{ consumer: 'c', group: 'flat' }],
  upstreams: [{ name: 'u', targets: [{ target: 'a:80' }] }],
  targets: [{ upstream: 'u', target: 'b' }],
  certificates: [{ id: CERTIFICATE, cert: jwk, key: jwk, snis: [{ name: 'a.com' }] }],
  snis: [{ name: '*.b.com', certificate: CERTIFICATE }],
  vaults: [{ name: 'env', prefix: 'my-env' }],
  key_sets: [{ name: 'ks', keys: [{ name: 'k', kid: '1', jwk }] }],
  keys: [
    { kid: '2', set: 'ks', jwk },
    { kid: '3', jwk },
  ],
};

/** The order is not looked at. */
const IDS: Readonly<Record<string, readonly string[]>> = {
  workspaces: ['d5da1ee6-9937-5839-988c-c7f9f6dcc5c8'],
  services: ['b268827a-8f7f-551f-8769-e6bceb2f3ec6'],
  routes: ['39d12446-91a1-5762-8272-f061872c0784', 'da7ba03a-f1be-52d4-8a7e-c8f32640689a'],
  plugins: [
    '48ee727e-8b90-5faa-bda1-a3c6bc3c9daa',
    'f74b3ca6-bb54-5afb-bb15-27b9bc69c0eb',
    '6b4f38d1-e026-540b-a5ea-8634739dd2a7',
    '8d257a85-2ac0-5869-b244-e2882409f85d',
    '3869fa1a-fb43-541b-b3da-0089d5765b2f',
  ],
  consumers: ['c4511917-5bd2-5306-8ee5-d63ca5c67080'],
  acls: ['2ac47e2d-58c2-5bdd-bd54-8eceaeda1488', 'be48e645-515d-5215-bbb5-ee11d4ccf980'],
  basicauth_credentials: ['af43ae62-d1f2-5e0d-b8b4-953ba7d80355'],
  hmacauth_credentials: ['4804d3cc-be39-5717-8e50-b9c9a8190ee5'],
  upstreams: ['597a2b96-28b9-56b9-8745-bb55e59539cc'],
  targets: ['b6dfa972-2097-5508-b3b2-e699f0839204', 'ee5a48d3-df8b-5f2e-83be-ec24f3a515ca'],
  certificates: [CERTIFICATE],
  snis: ['5f5343e7-0dd0-5edc-ad34-e445aa2dd2b6', '427e83db-cac4-51f7-b3e6-883bb69d6fed'],
  vaults: ['3dc3bf8d-e9b4-576c-af74-01619966a0d0'],
  key_sets: ['27667a42-60c3-58a6-98a9-1ce7ab79e2d7'],
  keys: [
    'ee0b7126-5ae7-5884-818e-8fec770964c6',
    'cd441d22-2ad4-56dd-8d29-4a4fe8658eac',
    '7dad394b-672f-59e9-80c6-cc1515b5d960',
  ],
};

test('derived ids are those of Kong', () => {
  const problems = new Problems();
  const items = collectItems(FILE, problems);
  void new References(items, problems);
  assert.equal(problems.count, 0);
  for (const [kind, ids] of Object.entries(IDS)) {
    assert.deepEqual(new Set(items.get(kind)?.map(({ id }) => id)), new Set(ids), kind);
  }
});
