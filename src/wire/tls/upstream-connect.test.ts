/** Who is given a TLS connection to an upstream, and who is not: every kind of chain, name and time, against node:tls. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import * as tls from 'node:tls';
import { issueIn, type Issued } from '../../../test/support/pki.ts';
import { tempDir } from '../../../test/support/temp-dir.ts';
import { AuthoritySet } from './authority-set.ts';
import { connectUpstream, handshakeFailure } from './upstream-connect.ts';
import { type TrustSpec, UpstreamTrusts } from './upstream-trust.ts';

const folder = await tempDir();
after(async () => folder[Symbol.asyncDispose]());
const make = (name: string, by: Issued | null, rest: object = {}): Promise<Issued> =>
  issueIn(folder.path, { name, by, ...rest });

const root = await make('root', null, { authority: true });
const other = await make('other root', null, { authority: true });
const middle = await make('middle', root, { authority: true });
const lower = await make('lower', middle, { authority: true });
const names = { names: 'DNS:a.test,DNS:*.b.test,IP:127.0.0.1' };
const direct = await make('direct', root, names);
const oneBetween = await make('one', middle, names);
const twoBetween = await make('two', lower, names);
const expired = await make('expired', root, { ...names, until: '20210101000000Z' });
const future = await make('future', root, { ...names, from: '20980101000000Z' });
const onlyCommonName = await make('plain.test', root);

interface Server extends AsyncDisposable {
  readonly port: number;
  /** Bytes that came from clients. */
  received: number;
  readonly serverNames: string[];
  resumed: number;
}

async function serve(options: tls.TlsOptions): Promise<Server> {
  const server = tls.createServer(options);
  const state = { received: 0, serverNames: [] as string[], resumed: 0 };
  server.on('secureConnection', (socket) => {
    state.serverNames.push(String(socket.servername));
    if (socket.isSessionReused()) state.resumed++;
    socket.on('data', (data) => {
      state.received += data.length;
      socket.end(data);
    });
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(state, {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  });
}

const DEFAULTS: TrustSpec = {
  authorities: new AuthoritySet([root.cert]),
  depth: 1,
  client: null,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: 'DEFAULT:@SECLEVEL=0',
  resumes: true,
};

/** Connects, sends a word and reads it back; answers it, or why there is no connection. */
async function ask(
  port: number,
  spec: Partial<TrustSpec>,
  serverName = 'a.test',
  trusts = new UpstreamTrusts(),
): Promise<string> {
  const trust = trusts.of({ ...DEFAULTS, ...spec });
  const { promise, resolve } = Promise.withResolvers<string>();
  const tlsTerms = { trust, serverName };
  const socket = connectUpstream(
    { host: '127.0.0.1', port, tls: tlsTerms },
    { alpn: null, onReady: () => socket.write('word') },
  );
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString()));
  socket.on('end', () => socket.end());
  socket.on('error', (error) => resolve(handshakeFailure(error).message));
  socket.on('close', () => resolve(text));
  return promise;
}

const chain = (...parts: readonly Issued[]): tls.TlsOptions => ({
  cert: parts.map(({ cert }) => cert).join(''),
  key: parts[0]?.key,
});

const UNREADABLE = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const TRUSTED = /^word$/;
const CASES: ReadonlyArray<readonly [string, tls.TlsOptions, Partial<TrustSpec>, string, RegExp]> = [
  ['signed by the authority', chain(direct), {}, 'a.test', TRUSTED],
  ['a wildcard', chain(direct), {}, 'x.b.test', TRUSTED],
  ['a wildcard stands for one label', chain(direct), {}, 'y.x.b.test', /does not match 'y.x.b.test'/],
  ['an address', chain(direct), {}, '127.0.0.1', TRUSTED],
  ['another address', chain(direct), {}, '127.0.0.2', /does not match '127.0.0.2'/],
  ['another name', chain(direct), {}, 'c.test', /does not match 'c.test'/],
  ['no name at all', chain(direct), {}, '', /does not match ''/],
  ['a common name, without alternatives', chain(onlyCommonName), {}, 'plain.test', TRUSTED],
  ['a common name beside alternatives is none', chain(direct), {}, 'direct', /does not match/],
  ['no verification: any name', chain(direct), { authorities: null }, 'c.test', TRUSTED],
  ['no verification: expired', chain(expired), { authorities: null }, 'c.test', TRUSTED],
  ['expired', chain(expired), {}, 'a.test', /CERT_HAS_EXPIRED/],
  ['not yet valid', chain(future), {}, 'a.test', /CERT_NOT_YET_VALID/],
  ['another authority', chain(direct), { authorities: new AuthoritySet([other.cert]) }, 'a.test', /verify/],
  [
    'one of two authorities',
    chain(direct),
    { authorities: new AuthoritySet([other.cert, root.cert]) },
    'a.test',
    TRUSTED,
  ],
  ['no authority at all', chain(direct), { authorities: new AuthoritySet([]) }, 'a.test', /verify failed/],
  ['the intermediate is missing', chain(oneBetween), {}, 'a.test', /verify failed/],
  ['one between', chain(oneBetween, middle), {}, 'a.test', TRUSTED],
  ['one between, depth 0', chain(oneBetween, middle), { depth: 0 }, 'a.test', /too long/],
  ['none between, depth 0', chain(direct), { depth: 0 }, 'a.test', TRUSTED],
  ['none between, depth 0, the root sent along', chain(direct, root), { depth: 0 }, 'a.test', TRUSTED],
  ['two between', chain(twoBetween, lower, middle), {}, 'a.test', /too long/],
  ['two between, in disorder', chain(twoBetween, middle, lower), {}, 'a.test', /too long/],
  ['two between, depth 2', chain(twoBetween, lower, middle), { depth: 2 }, 'a.test', TRUSTED],
  [
    'two between, trusted intermediates count',
    chain(twoBetween),
    { authorities: new AuthoritySet([root.cert, middle.cert, lower.cert]) },
    'a.test',
    /too long/,
  ],
  [
    'a second authority that cannot be read',
    chain(direct),
    { authorities: new AuthoritySet([`${root.cert}${UNREADABLE}`]) },
    'a.test',
    /^an authority cannot be read: /,
  ],
  [
    'an intermediate alone is no authority',
    chain(oneBetween, middle),
    { authorities: new AuthoritySet([middle.cert]) },
    'a.test',
    /verify failed/,
  ],
  [
    'only TLS 1.1',
    { ...chain(direct), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
    {},
    'a.test',
    /version/,
  ],
  ['only TLS 1.2', { ...chain(direct), maxVersion: 'TLSv1.2' }, {}, 'a.test', TRUSTED],
  ['only TLS 1.3', { ...chain(direct), minVersion: 'TLSv1.3' }, {}, 'a.test', TRUSTED],
  [
    'TLS 1.3 refused by the trust',
    { ...chain(direct), minVersion: 'TLSv1.3' },
    { maxVersion: 'TLSv1.2' },
    'a.test',
    /version/,
  ],
  [
    'a key that is none',
    chain(direct),
    { client: { cert: direct.cert, key: 'x' } },
    'a.test',
    /PEM|DECODER|unsupported/i,
  ],
];

for (const [title, options, spec, name, expected] of CASES) {
  test(title, async () => {
    await using server = await serve(options);
    assert.match(await ask(server.port, spec, name), expected);
    assert.equal(server.received, expected === TRUSTED ? 4 : 0, 'bytes that the upstream got');
  });
}

test('an upstream that is asked by address gets no server name, and each name gets its own', async () => {
  await using server = await serve(chain(direct));
  for (const name of ['127.0.0.1', 'a.test', 'x.b.test']) await ask(server.port, {}, name);
  assert.deepEqual(server.serverNames, ['false', 'a.test', 'x.b.test']);
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${maxVersion}: a session is resumed by the same trust and name, and by no other`, async () => {
    await using server = await serve({ ...chain(direct), maxVersion });
    const trusts = new UpstreamTrusts();
    const asked = async (spec: Partial<TrustSpec>, name: string): Promise<number> => {
      const before = server.resumed;
      assert.equal(await ask(server.port, spec, name, trusts), 'word');
      return server.resumed - before;
    };
    const both = new AuthoritySet([root.cert, other.cert]);
    const rows: ReadonlyArray<readonly [Partial<TrustSpec>, string, number]> = [
      [{}, 'a.test', 0],
      [{}, 'a.test', 1],
      [{}, 'x.b.test', 0],
      [{ authorities: null }, 'a.test', 0],
      [{ authorities: both }, 'a.test', 0],
      [{ depth: 2 }, 'a.test', 0],
      [{ client: direct }, 'a.test', 0],
      [{ resumes: false }, 'a.test', 0],
      [{ resumes: false }, 'a.test', 0],
      [{}, 'a.test', 1],
      // The same content, written another way.
      [{ authorities: new AuthoritySet([root.cert]) }, 'a.test', 1],
      [{ authorities: new AuthoritySet([other.cert, root.cert]) }, 'a.test', 1],
    ];
    for (const [index, [spec, name, resumed]] of rows.entries())
      assert.equal(await asked(spec, name), resumed, `row ${index}`);
  });

  test(`${maxVersion}: a session of a peer that was not verified is not kept`, async () => {
    await using server = await serve({ ...chain(direct), maxVersion });
    const trusts = new UpstreamTrusts();
    for (let time = 0; time < 2; time++)
      assert.match(await ask(server.port, {}, 'c.test', trusts), /does not match/);
  });

  test(`${maxVersion}: a client certificate is sent with its chain, and its absence noticed`, async () => {
    const options = {
      ...chain(direct),
      maxVersion,
      ca: root.cert,
      requestCert: true,
      rejectUnauthorized: true,
    };
    await using server = await serve(options);
    const client = { cert: oneBetween.cert + middle.cert, key: oneBetween.key };
    assert.equal(await ask(server.port, { client }), 'word');
    assert.notEqual(await ask(server.port, {}), 'word');
    assert.notEqual(await ask(server.port, { client: other }), 'word');
  });
}
