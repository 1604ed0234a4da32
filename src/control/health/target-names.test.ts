import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { AddressRing } from '../../balancer/resolver/address-ring.ts';
import {
  DnsError,
  type DnsErrorCode,
  type ResolvedName,
  type Resolver,
} from '../../balancer/resolver/resolver.ts';
import { TargetNames } from './target-names.ts';

const RING = new AddressRing([{ ip: '10.0.0.1', port: null, weight: 1 }], Infinity, 0);

test('only what is new is told: a name that is not there costs nothing but its look-up', async () => {
  let answer: ResolvedName | DnsErrorCode = 'name_error';
  const resolver: Resolver = {
    peek: () => null,
    resolve: () =>
      typeof answer === 'string' ? Promise.reject(new DnsError(answer, 'scripted')) : Promise.resolve(answer),
    close: () => {},
  };
  let told = 0;
  const names = new TargetNames(resolver, () => told++);
  names.hosts = ['a.test', '10.0.0.9'];
  const steps: ReadonlyArray<readonly [ResolvedName | DnsErrorCode, told: number, addresses: number]> = [
    ['name_error', 0, 0],
    ['server_failure', 0, 0],
    [RING, 1, 1],
    // Of a TTL of 0.
    [RING, 1, 1],
    ['timeout', 1, 1],
    ['empty', 2, 0],
    ['name_error', 2, 0],
  ];
  for (const [next, times, addresses] of steps) {
    answer = next;
    names.lookUp();
    await turn();
    assert.deepEqual([told, names.of('a.test').length], [times, addresses], JSON.stringify(next));
  }
});
