/** Session tickets: of all workers, through rotations, and never past a policy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectionOptions, SecureVersion } from 'node:tls';
import { TicketKeyRing } from '../../src/zone/ticket-keys.ts';
import { CELL } from '../../src/zone/worker-zone.ts';
import { issue, makeAuthority } from '../support/authority.ts';
import { type TestPlane, startPlane } from '../support/data-plane.ts';
import { freePort } from '../support/ports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';
import { ask, entityOf, sessionOf, trustOf } from './support.ts';

const VERSIONS: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3'];

async function worker(
  upstreamPort: number,
  ring: TicketKeyRing,
  settings: Readonly<Record<string, string>> = {},
  trust = trustOf({}),
): Promise<TestPlane> {
  const listen = { proxy_listen: `127.0.0.1:${await freePort()} ssl` };
  return await startPlane(upstreamPort, {
    settings: { ...listen, ...settings },
    trust,
    tickets: ring.memory,
  });
}

test('a session is resumed on every worker, and for one period after its key was replaced', async () => {
  await using upstream = await startEcho();
  const ring = new TicketKeyRing();
  await using one = await worker(upstream.port, ring);
  await using two = await worker(upstream.port, ring);
  for (const maxVersion of VERSIONS) {
    const client = { servername: 'localhost', maxVersion };
    const resumes = async (port: number, session: Buffer): Promise<boolean> => {
      const { reused, status } = await ask(port, { ...client, session });
      assert.equal(status, 200);
      return reused;
    };
    const session = await sessionOf(one.port, client);
    assert.deepEqual(
      [await resumes(one.port, session), await resumes(two.port, session)],
      [true, true],
      maxVersion,
    );
    ring.rotate();
    assert.deepEqual([await resumes(two.port, session), await resumes(one.port, session)], [true, true]);
    const later = await sessionOf(one.port, client);
    assert.equal(await resumes(two.port, later), true);
    ring.rotate();
    assert.deepEqual([await resumes(one.port, session), await resumes(two.port, session)], [false, false]);
    assert.equal(await resumes(two.port, later), true);
  }
  assert.equal(one.zone.get(CELL.tlsResumed) + two.zone.get(CELL.tlsResumed), 12);
});

const NEVER: ReadonlyArray<readonly [what: string, settings: Readonly<Record<string, string>>]> = [
  ['without tickets', { ssl_session_tickets: 'off' }],
  ['where clients are asked for certificates', { nginx_http_ssl_verify_client: 'optional_no_ca' }],
];

test('what is never resumed', async () => {
  await using upstream = await startEcho();
  for (const [what, settings] of NEVER) {
    await using plane = await worker(upstream.port, new TicketKeyRing(), settings);
    for (const maxVersion of VERSIONS) {
      const client: ConnectionOptions = { servername: 'localhost', maxVersion };
      const session = await sessionOf(plane.port, client);
      assert.deepEqual(
        (await ask(plane.port, { ...client, session })).reused,
        false,
        `${what}, ${maxVersion}`,
      );
    }
  }
});

test('a session of one certificate is none of another', async () => {
  await using folder = await tempDir();
  const authority = await makeAuthority(folder.path, 'ca');
  const named = async (name: string): ReturnType<typeof entityOf> =>
    await entityOf(await issue(folder.path, authority, name, `DNS:${name}.test`));
  // Ids as people choose them.
  const id = (at: number): string => `00000000-0000-4000-8000-00000000000${at}`;
  const shared = { ...(await named('shared')), id: id(1) };
  const other = { ...(await named('other')), id: id(2) };
  const trust = trustOf({ 'a.test': shared, 'b.test': shared, 'c.test': other });
  await using upstream = await startEcho();
  await using plane = await worker(upstream.port, new TicketKeyRing(), {}, trust);
  for (const maxVersion of VERSIONS) {
    const session = await sessionOf(plane.port, { servername: 'a.test', maxVersion });
    const reused = async (servername: string): Promise<boolean> =>
      (await ask(plane.port, { servername, maxVersion, session }, servername)).reused;
    assert.equal(await reused('a.test'), true);
    assert.equal(await reused('c.test'), false);
    assert.equal(await reused('unknown.test'), false);
    plane.serve(trustOf({ 'a.test': other }));
    assert.equal(await reused('a.test'), false);
    plane.serve(trust);
  }
});
