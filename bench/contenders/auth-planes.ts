/**
 * Data planes in one process, each a worker's whole request path on a port of its own, over one directory of consumers: without
 * any plugin, with key-auth, and with basic-auth. `node auth-planes.ts UPSTREAM_PORT CONSUMERS`; says what it has in one line of
 * JSON. A configuration of a million consumers is not loaded but written into the directory, which is what loading ends in.
 */
import { hashSecret } from '../../src/lib/secret-hash.ts';
import { startPlane } from '../../test/support/data-plane.ts';
import { BASIC_USERS, consumerOf, keyOf, keyIdOf, passwordOf } from './auth-consumers.ts';

/** What the process says of itself. */
export interface AuthPlanes {
  readonly ports: { readonly none: number; readonly key: number; readonly basic: number };
  readonly loadMs: number;
  /** Octets for each consumer and key on the node, index included. */
  readonly bytes: number;
}

const [upstreamPort = 0, count = 0] = process.argv.slice(2).map(Number);
const now = 1_790_000_000;
const none = await startPlane(upstreamPort);
const key = await startPlane(upstreamPort, { plugins: [{ name: 'key-auth' }] });
const basic = await startPlane(upstreamPort, { plugins: [{ name: 'basic-auth' }] });

const begun = performance.now();
for (let n = 0; n < count; n++) {
  const id = consumerOf(n);
  const common = { tags: null, created_at: now };
  key.directory.put('consumers', {
    id,
    username: `customer-${n}`,
    custom_id: null,
    updated_at: now,
    ...common,
  });
  const credential = { id: keyIdOf(n), consumer: { id }, key: keyOf(n), ttl: null, ...common };
  key.directory.put('keyauth_credentials', credential);
  // Readers take what is new from time to time.
  if (n % 10_000 === 0) await new Promise(setImmediate);
}
const loadMs = performance.now() - begun;

for (let n = 0; n < BASIC_USERS; n++) {
  const id = consumerOf(n);
  const common = { tags: null, created_at: now };
  basic.directory.put('consumers', {
    id,
    username: `customer-${n}`,
    custom_id: null,
    updated_at: now,
    ...common,
  });
  const password = await hashSecret(passwordOf(n));
  basic.directory.put('basicauth_credentials', {
    id: keyIdOf(n),
    consumer: { id },
    username: `user-${n}`,
    password,
    ...common,
  });
}

const { bytes } = key.directory.size;
const says: AuthPlanes = {
  ports: { none: none.port, key: key.port, basic: basic.port },
  loadMs,
  bytes: bytes / count,
};
console.log(JSON.stringify(says));
