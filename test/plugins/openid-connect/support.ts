/** What the tests of openid-connect have in common: a provider, a gateway in front of an echo, and a browser. */
import assert from 'node:assert/strict';
import type { PlaneOptions, TestPlane } from '../../support/data-plane.ts';
import { startPlane } from '../../support/data-plane.ts';
import type { Browser, Page } from '../../support/browser.ts';
import { type OidcProvider, type ProviderOptions, startProvider } from '../../support/oidc-provider.ts';
import type { Trust } from '../../../src/snapshot/trust.ts';
import { freePort } from '../../support/ports.ts';
import { type Echo, startEcho, type Upstream } from '../../support/upstream.ts';

export const SECRET = 'a-secret-of-the-client-that-is-long-enough';
export const ANNA = '00000000-0000-4000-8000-00000000000a';
export const CONSUMERS: NonNullable<PlaneOptions['entities']> = [
  {
    kind: 'consumers',
    entity: { id: ANNA, username: 'anna', custom_id: 'c-1', tags: null, created_at: 1, updated_at: 1 },
  },
];

export interface Stage extends AsyncDisposable {
  readonly provider: OidcProvider;
  readonly plane: TestPlane;
  readonly upstream: Upstream;
  /** Of the gateway. */
  readonly origin: string;
}

export interface StageOptions {
  readonly config?: object;
  readonly provider?: Partial<ProviderOptions>;
  readonly entities?: NonNullable<PlaneOptions['entities']>;
  /** Further plugins. */
  readonly plugins?: PlaneOptions['plugins'];
  readonly tls?: boolean;
  /** Memory that the workers of a node share. */
  readonly shared?: SharedArrayBuffer;
  /** Metadata of the client at the provider. */
  readonly client?: object;
  /** Certificates of the configuration. */
  readonly trust?: Trust;
}

export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const port = await freePort();
  const origin = `${options.tls === true ? 'https' : 'http'}://127.0.0.1:${port}`;
  const provider = await startProvider({
    clients: [
      {
        client_id: 'gateway',
        client_secret: SECRET,
        redirect_uris: [`${origin}/callback`, `${origin}/direct`],
        post_logout_redirect_uris: [`${origin}/bye`],
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        response_types: ['code'],
        ...options.client,
      },
      {
        client_id: 'robot',
        client_secret: SECRET,
        redirect_uris: [],
        grant_types: ['client_credentials'],
        response_types: [],
      },
    ],
    ...options.provider,
  });
  const upstream = await startEcho();
  const config = {
    issuer: provider.issuer,
    client_id: ['gateway'],
    client_secret: [SECRET],
    redirect_uri: [`${origin}/callback`],
    consumer_optional: true,
    ...options.config,
  };
  const plane = await startPlane(upstream.port, {
    ...(options.shared === undefined ? {} : { shared: options.shared }),
    ...(options.trust === undefined ? {} : { trust: options.trust }),
    settings: { proxy_listen: `127.0.0.1:${port}${options.tls === true ? ' ssl' : ''}` },
    plugins: [{ name: 'openid-connect', config }, ...(options.plugins ?? [])],
    entities: [...CONSUMERS, ...(options.entities ?? [])],
  });
  return {
    provider,
    plane,
    upstream,
    origin,
    async [Symbol.asyncDispose]() {
      await plane[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      await provider[Symbol.asyncDispose]();
    },
  };
}

/** Goes to a page, logs in where the provider asks for it, and ends where that leads. */
export async function logIn(browser: Browser, url: string, login = 'anna'): Promise<Page> {
  let page = await browser.visit(url);
  for (
    let forms = 0;
    forms < 3 && page.body.includes('<form') && page.url.hostname === 'localhost';
    forms++
  ) {
    page = await browser.submit(page, { login, password: 'any' });
  }
  return page;
}

export function echoOf(page: { readonly status: number; readonly body: string }): Echo {
  assert.equal(page.status, 200, page.body);
  return JSON.parse(page.body) as Echo;
}

/** A token of the client credentials grant, straight from the provider. */
export async function robotToken(provider: OidcProvider, scope = 'read', client = 'robot'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${provider.port}/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      host: `localhost:${provider.port}`,
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }).toString(),
  });
  const body = (await response.json()) as { readonly access_token?: string };
  assert.ok(body.access_token !== undefined, JSON.stringify(body));
  return body.access_token;
}
