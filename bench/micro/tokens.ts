/**
 * What a request pays for its token or its signature: `node bench/micro/tokens.ts`.
 *
 * The access filters of jwt and hmac-auth on an exchange without a wire around it; credentials and consumers come from a
 * directory. `first` takes tokens in turn, more than are remembered, beside `crypto.verify` alone, which is the least that
 * it can cost; `next` shows one token again and again.
 */
import { createHmac, generateKeyPairSync, sign, verify } from 'node:crypto';
import { DIRECTORY_KINDS, type DirectoryEntities } from '../../src/entities/directory-kinds.ts';
import hmacAuth from '../../src/plugins/hmac-auth/plugin.ts';
import jwt from '../../src/plugins/jwt/plugin.ts';
import type { Exchange } from '../../src/plugins/kit/exchange.ts';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { Reply } from '../../src/plugins/kit/reply.ts';
import type { PluginServices } from '../../src/plugins/kit/services.ts';
import { Directory } from '../../src/zone/directory/directory.ts';
import { DirectoryWriter } from '../../src/zone/directory/writer.ts';
import { micro, microTable } from '../support/micro.ts';

const TOKENS = 6000;
const CONSUMER = '00000000-0000-4000-8000-000000000001';
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });

const writer = new DirectoryWriter(DIRECTORY_KINDS);
writer.put('consumers', { id: CONSUMER, username: 'anna', created_at: 1 });
const owned = { consumer: { id: CONSUMER }, created_at: 1 };
writer.put('jwt_secrets', {
  ...owned,
  id: '00000000-0000-4000-8000-000000000002',
  key: 'anna',
  algorithm: 'RS256',
  rsa_public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }),
});
writer.put('hmacauth_credentials', {
  ...owned,
  id: '00000000-0000-4000-8000-000000000003',
  username: 'anna',
  secret: 'secret',
});
const entities = new Directory<DirectoryEntities>(DIRECTORY_KINDS, writer.open());
const services = { entities } as unknown as PluginServices;

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(number: number): string {
  const input = `${part({ typ: 'JWT', alg: 'RS256' })}.${part({ iss: 'anna', exp: 4_000_000_000, number })}`;
  return `${input}.${sign('sha256', Buffer.from(input), pair.privateKey).toString('base64url')}`;
}

/** What the two filters touch of an exchange. */
function exchangeOf(headers: ReadonlyMap<string, string>): Exchange {
  const all = (name: string): string[] => {
    const value = headers.get(name);
    return value === undefined ? [] : [value];
  };
  const request = {
    method: 'GET',
    query: '',
    target: '/a?b=c',
    httpVersion: '1.1',
    headers: { get: (name: string) => headers.get(name), all, has: (name: string) => headers.has(name) },
    received: all,
  };
  const upstreamRequest = { headers: { add: () => {}, remove: () => {}, removeSpellings: () => {} } };
  const exchange = { request, upstreamRequest, shared: new Map(), credential: null, authenticate: () => {} };
  return exchange as unknown as Exchange;
}

function run(filters: Filters, exchange: Exchange): void {
  if (filters.access?.(exchange) instanceof Reply) throw new Error('it was not let in');
}

const jwtFilters = await jwt.create(
  {
    key_claim_name: 'iss',
    claims_to_verify: ['exp'],
    header_names: ['authorization'],
    realm: null,
    anonymous: null,
  } as never,
  services,
);
const hmacFilters = await hmacAuth.create(
  {
    algorithms: ['hmac-sha256'],
    enforce_headers: [],
    clock_skew: 300,
    realm: null,
    anonymous: null,
  } as never,
  services,
);

const tokens = Array.from({ length: TOKENS }, (_, number) => token(number));
const exchanges = tokens.map((text) => exchangeOf(new Map([['authorization', `Bearer ${text}`]])));
const signed = tokens.map((text) => {
  const dot = text.lastIndexOf('.');
  return { input: Buffer.from(text.slice(0, dot)), signature: Buffer.from(text.slice(dot + 1), 'base64url') };
});
const date = new Date().toUTCString();
const signature = createHmac('sha256', 'secret')
  .update(`date: ${date}\nGET /a?b=c HTTP/1.1`)
  .digest('base64');
const hmacExchange = exchangeOf(
  new Map([
    ['date', date],
    [
      'authorization',
      `hmac username="anna", algorithm="hmac-sha256", headers="date request-line", signature="${signature}"`,
    ],
  ]),
);

const at = (index: number): number => index % TOKENS;
const cases = [
  {
    name: 'RS256, crypto.verify alone',
    run: (index: number) =>
      verify('sha256', signed[at(index)]!.input, pair.publicKey, signed[at(index)]!.signature),
  },
  { name: 'jwt, RS256, first', run: (index: number) => run(jwtFilters, exchanges[at(index)]!) },
  { name: 'jwt, RS256, next', run: () => run(jwtFilters, exchanges[0]!) },
  { name: 'hmac-auth, SHA-256', run: () => run(hmacFilters, hmacExchange) },
];
process.stdout.write(microTable('Tokens and signatures', micro(cases)));
