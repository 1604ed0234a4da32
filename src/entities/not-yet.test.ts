import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notYet } from './not-yet.ts';
import { DEFINITIONS } from './registry.ts';
import { EntityValidator } from './schema/validate.ts';

const context = {
  flavor: 'traditional_compatible',
  now: 1,
  checkRegex: () => null,
  checkExpression: () => null,
} as const;

/** What is said of a valid entity. */
function saidOf(kind: string, input: Readonly<Record<string, unknown>>): string[] {
  const definition = DEFINITIONS.find(({ name }) => name === kind);
  assert.ok(definition);
  const overrides = { id: '11111111-2222-4333-8444-555555555555' };
  const validated = new EntityValidator(definition).validate(
    { input, overrides, ignored: new Set() },
    context,
  );
  assert.deepEqual(validated.issues, null);
  return notYet(kind, validated.entity ?? {}).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const refused = (path: string, value: unknown, kind: string): string =>
  `${path}: Sluice does not support ${path} ${JSON.stringify(value)} of ${kind} yet`;

test('upstreams run with their defaults, and with what changes nothing of round robin', () => {
  assert.deepEqual(saidOf('upstreams', { name: 'u' }), []);
  const more = {
    name: 'u',
    algorithm: 'round-robin',
    slots: 100,
    host_header: 'example.com',
    hash_on_cookie_path: '/x',
    tags: ['t'],
    use_srv_name: true,
    healthchecks: {
      active: { type: 'grpc', healthy: { interval: 5 }, unhealthy: { interval: 0.1, tcp_failures: 3 } },
      passive: { unhealthy: { tcp_failures: 1, timeouts: 1, http_failures: 1 } },
      threshold: 50,
    },
  };
  assert.deepEqual(saidOf('upstreams', more), []);
});

for (const more of [{ algorithm: 'latency' }, { algorithm: 'least-connections' }, { hash_on: 'ip' }]) {
  test(`upstreams with ${JSON.stringify(more)} run`, () => {
    assert.deepEqual(saidOf('upstreams', { name: 'u', ...more }), []);
  });
}

test("a plugin that is not built is refused in Kong's words", () => {
  assert.deepEqual(saidOf('plugins', { name: 'loggly', config: {} }), [
    "name: plugin 'loggly' not enabled; add it to the 'plugins' configuration property",
  ]);
});

test('kinds that only wait for others are accepted', () => {
  assert.deepEqual(saidOf('consumers', { username: 'c' }), []);
  assert.deepEqual(saidOf('vaults', { name: 'env', prefix: 'my', config: {} }), []);
  assert.deepEqual(saidOf('workspaces', { name: 'default' }), []);
  assert.deepEqual(saidOf('workspaces', { name: 'other' }), [refused('name', 'other', 'workspaces')]);
});
