/** Keys whose time is limited, in declarative files: their seconds count from their creation, whatever store they reach. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { config, withFile } from '../config/support/cli.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

const now = (): number => Math.floor(Date.now() / 1000);

interface Key {
  readonly key: string;
  readonly ttl: number | null;
}

function configOf(keys: readonly Readonly<Record<string, unknown>>[]): string {
  return JSON.stringify({
    _format_version: '3.0',
    consumers: [{ username: 'anna', keyauth_credentials: keys }],
  });
}

async function keysOf({ adminUrl }: Gateway): Promise<Map<string, number | null>> {
  const response = await fetch(`${adminUrl}/key-auths`);
  const { data } = (await response.json()) as { data: readonly Key[] };
  return new Map(data.map(({ key, ttl }) => [key, ttl]));
}

function assertKeys(keys: ReadonlyMap<string, number | null>): void {
  assert.deepEqual([...keys.keys()].sort(), ['ever', 'fresh', 'half', 'zero']);
  assert.deepEqual([keys.get('ever'), keys.get('zero')], [null, null]);
  const [fresh, half] = [Number(keys.get('fresh')), Number(keys.get('half'))];
  assert.ok(fresh > 900 && fresh <= 1000, `fresh: ${fresh}`);
  assert.ok(half > 400 && half <= 500, `half: ${half}`);
}

const KEYS = [
  { key: 'ever' },
  { key: 'zero', ttl: 0 },
  { key: 'fresh', ttl: 1000 },
  { key: 'half', ttl: 1000, created_at: now() - 500 },
  { key: 'over', ttl: 1000, created_at: now() - 1001 },
];

test('without a database: reads show the seconds that are left, and /config what the file says', async () => {
  await using gateway = await startGateway({ config: configOf(KEYS) });
  assertKeys(await keysOf(gateway));
  const response = await fetch(`${gateway.adminUrl}/config`);
  const { config } = (await response.json()) as { config: string };
  assert.match(config, /ttl: 1000/);
  const posted = await fetch(`${gateway.adminUrl}/config`, {
    method: 'POST',
    headers: { 'content-type': 'application/yaml' },
    body: `${config}\n_comment: again\n`,
  });
  assert.equal(posted.status, 201, await posted.text());
  assertKeys(await keysOf(gateway));
});

test('an empty store that begins with a file', async () => {
  await using gateway = await startGateway({ config: configOf(KEYS), settings: { database: 'sqlite' } });
  assertKeys(await keysOf(gateway));
});

test('sync of such a file, and of the dump of what it made', async () => {
  await using gateway = await startGateway({ settings: { database: 'sqlite' } });
  await using second = await startGateway({ settings: { database: 'sqlite' } });
  const keys = KEYS.slice(0, 4);
  await withFile(configOf(keys), async (file) => {
    assert.equal((await config(gateway.adminUrl, 'sync', '--yes', file)).code, 0);
  });
  assertKeys(await keysOf(gateway));
  const dump = await config(gateway.adminUrl, 'dump');
  await withFile(dump.stdout, async (file) => {
    assert.equal((await config(second.adminUrl, 'sync', '--yes', file)).code, 0);
  });
  assertKeys(await keysOf(second));
});
