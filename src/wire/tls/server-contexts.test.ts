import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Certificate } from '../../entities/certificate.ts';
import { type SelfSigned, selfSigned } from '../../lib/x509/self-signed.ts';
import { TicketKeyRing, TicketKeys } from '../../zone/ticket-keys.ts';
import { ServerContexts } from './server-contexts.ts';

const H1 = { name: 'http1', alpn: ['http/1.1'], verify: null };
const RAW = { name: 'raw', alpn: [], verify: null };

function pairOf(name: string): SelfSigned {
  return selfSigned({ names: [name], from: new Date(0), until: new Date(4e12) });
}

function certificate(id: string, cert: string, key: string): Certificate {
  return { id, cert, key, cert_alt: null, key_alt: null, tags: null } as Certificate;
}

/** Contexts on a clock and vaults of their own. */
function stage() {
  const ring = new TicketKeyRing();
  const state = { now: 0, secret: null as string | null, made: 0, asked: 0, vaults: {} };
  const contexts = new ServerContexts({
    material: {
      suite: {},
      pairs: [pairOf('default')],
      verify: null,
      tickets: true,
      ticketSeconds: 60,
      stapling: false,
    },
    tickets: new TicketKeys(ring.memory),
    now: () => state.now,
    resolve: () => {
      state.asked++;
      if (state.secret === null) throw new Error('there is no secret');
      return state.secret;
    },
    vaults: () => state.vaults,
    onServer: () => void state.made++,
  });
  return { ring, state, contexts };
}

test('a context is made once for each entity and kind of listener, and again of what has changed', () => {
  const { state, contexts, ring } = stage();
  const { cert, key } = pairOf('a');
  const one = certificate('1', cert, key);
  const server = contexts.serverFor(one, H1, null);
  assert.equal(contexts.serverFor(one, H1, null), server);
  assert.notEqual(contexts.serverFor(one, RAW, null), server);
  assert.notEqual(contexts.serverFor(null, H1, null), server);
  // A handshake that began before a reload must not leave its rules to those behind it.
  const asking = { ...H1, verify: { mode: 'on', authorities: null, crl: null, depth: 1 } } as const;
  assert.notEqual(contexts.serverFor(one, asking, null), server);
  ring.rotate();
  assert.equal(contexts.serverFor(one, H1, null), server);
  assert.equal(state.made, 4);
  assert.notEqual(contexts.serverFor({ ...one }, H1, null), server);
  assert.equal(state.made, 5);
});

test('references: asked again in time, a new secret is a new context, a lost one serves on', () => {
  const { state, contexts } = stage();
  const { cert, key } = pairOf('a');
  const referring = certificate('1', cert, '{vault://env/key}');
  assert.throws(() => contexts.serverFor(referring, H1, null), /there is no secret/);
  assert.throws(() => contexts.serverFor(referring, H1, null), /there is no secret/);
  assert.equal(state.asked, 1);
  state.secret = key;
  state.now += 10_000;
  const server = contexts.serverFor(referring, H1, null);
  assert.equal(contexts.serverFor(referring, H1, null), server);
  assert.equal(state.asked, 2);
  state.vaults = {};
  assert.equal(contexts.serverFor(referring, H1, null), server);
  assert.equal(contexts.serverFor(referring, H1, null), server);
  assert.equal(state.asked, 3);
  state.now += 60_000;
  assert.equal(contexts.serverFor(referring, H1, null), server);
  state.secret = null;
  state.now += 60_000;
  assert.equal(contexts.serverFor(referring, H1, null), server);
  assert.equal(state.asked, 5);
  state.secret = 'no key';
  state.now += 60_000;
  assert.throws(() => contexts.serverFor(referring, H1, null));
});

test('a ticket of the key before has a context of its own, until the next rotation', () => {
  const { state, contexts, ring } = stage();
  const name = Buffer.from(new Uint8Array(ring.memory, 16, 16));
  const current = contexts.serverFor(null, H1, name);
  ring.rotate();
  const previous = contexts.serverFor(null, H1, name);
  assert.notEqual(previous, current);
  assert.equal(contexts.serverFor(null, H1, name), previous);
  ring.rotate();
  assert.equal(contexts.serverFor(null, H1, name), current);
  assert.equal(state.made, 2);
});

test('many certificates: the ones that were asked for longest ago are made again', () => {
  const { state, contexts } = stage();
  const { cert, key } = pairOf('a');
  const many = Array.from({ length: 1001 }, (_, at) => certificate(String(at), cert, key));
  const [first, second] = many as [Certificate, Certificate];
  for (const one of many) {
    contexts.serverFor(one, RAW, null);
    contexts.serverFor(first, RAW, null);
  }
  assert.equal(state.made, 1001);
  contexts.serverFor(second, RAW, null);
  assert.equal(state.made, 1002);
});
