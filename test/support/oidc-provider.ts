/**
 * A real provider of OpenID Connect: `oidc-provider`, which is certified, on a port of its own and `localhost`, so that it is
 * another site than the gateway. Its forms for login and consent are those that it brings for development.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type ClientMetadata, type Configuration, type JWK, Provider } from 'oidc-provider';

export interface OidcProvider extends AsyncDisposable {
  readonly issuer: string;
  /** With its private part. */
  readonly key: JWK;
  readonly port: number;
  /** Paths that were asked for, oldest first. */
  readonly asked: string[];
  /** Asks the provider counts for a path that begins so. */
  count(path: string): number;
  /** Takes no connection any more, until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Other keys from now on; the old ones are gone. */
  rotate(): void;
  /** Answers in its place, for a path; true: it has answered. */
  intercept: ((path: string) => { readonly status: number; readonly body: unknown } | null) | null;
}

export interface ProviderOptions {
  readonly clients: readonly ClientMetadata[];
  /** Claims of a user, by the name that was typed in. */
  readonly claims?: (login: string) => Record<string, unknown>;
  readonly configuration?: Configuration;
  /** Seconds that access tokens live. */
  readonly accessTokenTtl?: number;
  /** Clients whose access tokens are JWTs for this audience. */
  readonly jwtAudience?: string;
  readonly port?: number;
  /** PEM: it speaks TLS, and asks clients for certificates. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A private key for RS256. */
export function signingKey(kid: string = randomUUID()): JWK {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };
}

export async function startProvider(options: ProviderOptions): Promise<OidcProvider> {
  let handler: ReturnType<Provider['callback']> | null = null;
  const asked: string[] = [];
  let server: Server;
  const state: { intercept: OidcProvider['intercept'] } = { intercept: null };
  const listen = async (port: number): Promise<number> => {
    const serve: RequestListener = (request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      const instead = state.intercept?.(path) ?? null;
      if (instead === null) {
        void handler?.(request, response);
        return;
      }
      response.writeHead(instead.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(instead.body));
    };
    const mutual = { requestCert: true, rejectUnauthorized: false };
    server =
      options.tls === undefined
        ? createServer(serve)
        : createSecureServer({ ...options.tls, ...mutual }, serve);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(options.port ?? 0);
  const issuer = `${options.tls === undefined ? 'http' : 'https'}://localhost:${port}`;
  let key = signingKey();
  const make = (): void => {
    handler = new Provider(issuer, configurationOf(options, key)).callback();
  };
  make();
  const down = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    if (server.listening) await once(server, 'close');
  };
  return {
    issuer,
    port,
    asked,
    get key() {
      return key;
    },
    count: (path) => asked.filter((one) => one.startsWith(path)).length,
    down,
    async up() {
      await listen(port);
    },
    rotate() {
      key = signingKey();
      make();
    },
    get intercept() {
      return state.intercept;
    },
    set intercept(intercept) {
      state.intercept = intercept;
    },
    [Symbol.asyncDispose]: down,
  };
}

function configurationOf(options: ProviderOptions, key: JWK): Configuration {
  const { clients, claims, accessTokenTtl = 3600, jwtAudience } = options;
  const scope = 'openid profile email groups offline_access read write';
  return {
    clients: [...clients],
    jwks: { keys: [key] },
    cookies: { keys: ['a key of the test'] },
    scopes: scope.split(' '),
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email'],
      groups: ['groups'],
    },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async () => true,
    findAccount: (_, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, ...claims?.(id) }),
    }),
    ttl: { AccessToken: accessTokenTtl, ClientCredentials: accessTokenTtl, IdToken: 3600, Grant: 3600 * 24 },
    features: {
      introspection: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      ...(jwtAudience === undefined
        ? {}
        : {
            resourceIndicators: {
              enabled: true,
              defaultResource: async () => jwtAudience,
              useGrantedResource: async () => true,
              getResourceServerInfo: async () => ({
                scope,
                audience: jwtAudience,
                accessTokenFormat: 'jwt' as const,
                accessTokenTTL: accessTokenTtl,
                jwt: { sign: { alg: 'RS256' as const } },
              }),
            },
          }),
    },
    ...options.configuration,
  };
}
