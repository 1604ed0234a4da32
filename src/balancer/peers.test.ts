import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Balancer } from './balancer.ts';
import type { Affinity } from './affinity.ts';
import { Peers } from './peers.ts';
import { AddressRing } from './resolver/address-ring.ts';
import { DnsError, type ResolvedName, type Resolver } from './resolver/resolver.ts';

const RING = new AddressRing([{ ip: '127.0.0.1', port: null, weight: 1 }], Infinity, 0);

/** Knows the names in `known`; others have to be asked for, and `asked` says which were. */
class StubResolver implements Resolver {
  readonly known = new Set<string>();
  readonly asked: string[] = [];
  peek(host: string): ResolvedName | null {
    return this.known.has(host) ? RING : null;
  }
  resolve(host: string): Promise<ResolvedName> {
    this.asked.push(host);
    return Promise.reject(new DnsError('name_error', 'no such name'));
  }
  close(): void {}
}

function upstream(hosts: readonly string[], known = hosts): { resolver: StubResolver; request: () => Peers } {
  const targets = hosts.map((host) => ({ host, port: 80, weight: 100 }));
  const balancer = Balancer.of({ hostHeader: null, targets, start: 0 });
  const resolver = new StubResolver();
  for (const host of known) resolver.known.add(host);
  return { resolver, request: () => new Peers(balancer, resolver) };
}

/** What a request does whose tries fail, or whose names do not resolve. */
function hosts(peers: Peers, tries: number, then: 'failed' | 'unresolved'): Array<string | undefined> {
  return Array.from({ length: tries }, () => {
    const target = peers.next();
    if (target !== null) peers[then](target);
    return target?.host;
  });
}

test('tries go to all targets before one is tried again', () => {
  const { request } = upstream(['a', 'b', 'c']);
  assert.deepEqual(hosts(request(), 6, 'failed'), ['a', 'b', 'c', 'a', 'b', 'c']);
  assert.deepEqual(hosts(upstream(['a']).request(), 3, 'failed'), ['a', 'a', 'a']);
});

test('the failure of one request is not that of the next', () => {
  const { request } = upstream(['a', 'b']);
  const first = request();
  assert.deepEqual(hosts(first, 1, 'failed'), ['a']);
  assert.equal(first.next()?.host, 'b');
  assert.equal(request().next()?.host, 'a');
});

test('targets of weight 0 are never taken, and none is none', () => {
  const resolver = new StubResolver();
  const spec = { hostHeader: null, start: 0 };
  const zero = { host: 'a', port: 80, weight: 0 };
  const some = Balancer.of({ ...spec, targets: [zero, { host: 'b', port: 80, weight: 1 }] });
  assert.deepEqual(hosts(new Peers(some, resolver), 3, 'failed'), ['b', 'b', 'b']);
  assert.equal(new Peers(Balancer.of({ ...spec, targets: [zero] }), resolver).next(), null);
  assert.equal(new Peers(Balancer.of({ ...spec, targets: [] }), resolver).next(), null);
});

test('a name that does not resolve is waited for once, then looked up beside the requests', () => {
  const { resolver, request } = upstream(['gone', 'b'], ['b']);
  const first = request();
  assert.deepEqual(hosts(first, 1, 'unresolved'), ['gone']);
  assert.equal(first.next()?.host, 'b');
  assert.deepEqual(resolver.asked, []);
  for (let n = 0; n < 4; n++) assert.equal(request().next()?.host, 'b');
  assert.ok(resolver.asked.length > 0 && resolver.asked.every((host) => host === 'gone'));
  resolver.known.add('gone');
  const taken = Array.from({ length: 4 }, () => String(request().next()?.host)).toSorted();
  assert.deepEqual(taken, ['b', 'b', 'gone', 'gone'], 'back as soon as it resolves');
});

test('when no name resolves all are looked up at once, waited for, and given up', () => {
  const { resolver, request } = upstream(['x', 'y', 'z'], []);
  const first = request();
  assert.deepEqual(hosts(first, 1, 'unresolved'), ['x']);
  const second = first.next();
  assert.equal(second?.host, 'y');
  assert.deepEqual(resolver.asked, ['y', 'z']);
  first.unresolved(second);
  assert.deepEqual(hosts(first, 1, 'unresolved'), ['z']);
  assert.equal(first.next(), null);
});

test('a target that failed is tried again before names that do not resolve are given up for good', () => {
  const { request } = upstream(['a', 'gone'], ['a']);
  const peers = request();
  assert.deepEqual(hosts(peers, 1, 'failed'), ['a']);
  assert.deepEqual(hosts(peers, 1, 'unresolved'), ['gone']);
  assert.deepEqual(hosts(peers, 2, 'failed'), ['a', 'a']);
});

test("the Host header is the target's, or the upstream's, with the port unless it is the usual one", () => {
  const of = (host: string, port: number, hostHeader: string | null = null) => {
    const target = Balancer.of({ hostHeader, targets: [{ host, port, weight: 1 }], start: 0 }).next(null);
    assert.ok(target);
    return target;
  };
  assert.equal(of('a.test', 8000).authority(8000, false), 'a.test:8000');
  assert.equal(of('a.test', 80).authority(80, false), 'a.test');
  assert.equal(of('a.test', 80).authority(80, true), 'a.test:80');
  assert.equal(of('a.test', 443).authority(443, true), 'a.test');
  assert.equal(of('a.test', 80).authority(8080, false), 'a.test:8080', 'a port of an SRV record');
  assert.equal(of('::1', 81).authority(81, false), '[::1]:81');
  assert.equal(of('a.test', 80, 'h.test').authority(80, false), 'h.test');
  assert.equal(of('a.test', 81, 'h.test').authority(81, false), 'h.test:81');
  assert.equal(of('a.test', 81, 'h.test:90').authority(81, false), 'h.test:90');
});

/** Wants the target of that index. */
function wanting(
  index: number,
  strict = false,
): Affinity & { readonly met: (...args: never) => void; seen: string[] } {
  const seen: string[] = [];
  return { strict, seen, wanted: () => index, met: (_, { host }) => void seen.push(host) };
}

function sticky(affinity: Affinity, known: readonly string[] = ['a', 'b', 'c']): Peers {
  const resolver = new StubResolver();
  for (const host of known) resolver.known.add(host);
  const targets = ['a', 'b', 'c'].map((host) => ({ host, port: 80, weight: 100 }));
  return new Peers(Balancer.of({ hostHeader: null, targets, start: 0 }), resolver, null, affinity);
}

const ANSWERED: ReadonlyArray<readonly [strict: boolean, wanted: number, tried: readonly string[]]> = [
  [false, 2, ['c', 'a', 'b', 'a']],
  [false, -1, ['a', 'b', 'c', 'a']],
  [false, 7, ['a', 'b', 'c', 'a']],
  [true, 2, ['c', 'c', 'c', 'c']],
  [true, -1, ['a', 'b', 'c', 'a']],
];

for (const [strict, wanted, tried] of ANSWERED) {
  test(`affinity ${wanted}, ${strict ? 'strict' : 'if it can be'}: tries that fail go to ${tried.join(', ')}`, () => {
    assert.deepEqual(hosts(sticky(wanting(wanted, strict)), 4, 'failed').slice(0, 3), tried.slice(0, 3));
  });
}

test('affinity: who answers is told, who fails is not', () => {
  const affinity = wanting(1);
  const peers = sticky(affinity);
  const [first, address] = [peers.next(), RING.next()];
  assert.ok(first);
  peers.tell(first, address, 'tcp failure');
  peers.failed(first);
  const second = peers.next();
  assert.ok(second);
  peers.tell(second, address, 200);
  assert.deepEqual(affinity.seen, ['a']);
});

test('affinity: a strict one whose name does not resolve, or that a gate refuses, has nowhere to go', () => {
  const lost = sticky(wanting(1, true), ['a', 'c']);
  const target = lost.next();
  assert.equal(target?.host, 'b');
  lost.unresolved(target);
  assert.equal(lost.next(), null);
  const refused = sticky(wanting(1, true));
  assert.equal(refused.nextThrough({ enter: () => false }), null);
  const tried = sticky(wanting(1, true));
  const once = tried.next();
  assert.ok(once);
  tried.failed(once);
  assert.equal(tried.nextThrough({ enter: () => false }), null);
  assert.equal(tried.nextThrough({ enter: () => true })?.host, 'b');
  assert.equal(tried.another(), null);
});
