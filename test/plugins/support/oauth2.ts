/** A data plane with oauth2 on its route, and clients of its endpoints. */
import assert from 'node:assert/strict';
import { startPlane, type PlaneOptions, type TestPlane } from '../../support/data-plane.ts';
import { MemoryRecords } from '../../support/memory-records.ts';
import { rawRequest } from '../../support/raw-client.ts';
import { answerBody, type AnswerBody } from './body.ts';

export const SERVICE = '11111111-1111-4111-8111-111111111111';
export const ANNA = '00000000-0000-4000-8000-00000000000a';
export const APP = '00000000-0000-4000-8000-0000000000a1';
export const OTHER = '00000000-0000-4000-8000-0000000000a2';
export const PUBLIC = '00000000-0000-4000-8000-0000000000a3';
export const BARE = '00000000-0000-4000-8000-0000000000a4';
export const KEY = 'provision';
export const URI = 'https://app.test/cb?kept=1';

function client(id: string, name: string, more: object = {}): { kind: string; entity: object } {
  return {
    kind: 'oauth2_credentials',
    entity: {
      id,
      name,
      consumer: { id: ANNA },
      client_id: name,
      client_secret: `${name}-secret`,
      hash_secret: false,
      redirect_uris: [URI, 'https://app.test/second'],
      client_type: 'confidential',
      tags: null,
      created_at: 1,
      ...more,
    },
  };
}

export const ENTITIES = [
  {
    kind: 'consumers',
    entity: { id: ANNA, username: 'anna', custom_id: 'c-1', tags: null, created_at: 1, updated_at: 1 },
  },
  client(APP, 'app'),
  client(OTHER, 'other'),
  client(PUBLIC, 'public', { client_type: 'public', client_secret: 'unused' }),
  client(BARE, 'bare', { redirect_uris: null }),
] as const;

export interface Oauth2Answer {
  readonly status: number;
  readonly body: AnswerBody;
  readonly header: (name: string) => string | undefined;
}

export interface Oauth2Plane extends AsyncDisposable {
  readonly plane: TestPlane;
  readonly records: MemoryRecords;
  /** To the token endpoint; overrides replace the form's fields. */
  token(form: Form, headers?: string): Promise<Oauth2Answer>;
  authorize(form: Form): Promise<Oauth2Answer>;
  /** A resource. */
  get(headers?: string, target?: string): Promise<Oauth2Answer>;
  send(request: string): Promise<Oauth2Answer>;
  /** A code of client `app`. */
  code(form?: Fields): Promise<string>;
}

export type Fields = Readonly<Record<string, string>>;
/** A list may repeat names. */
export type Form = Fields | ReadonlyArray<readonly [string, string]>;

export const HTTPS = 'X-Forwarded-Proto: https\r\n';

const ALL = {
  scopes: ['email', 'phone'],
  provision_key: KEY,
  enable_authorization_code: true,
  enable_implicit_grant: true,
  enable_client_credentials: true,
  enable_password_grant: true,
  accept_http_if_already_terminated: true,
};

function post(path: string, form: Form, headers: string): string {
  const body = new URLSearchParams(form as Record<string, string>).toString();
  const type = 'Content-Type: application/x-www-form-urlencoded\r\n';
  const length = `Content-Length: ${body.length}\r\n`;
  return `POST ${path} HTTP/1.1\r\nHost: a.test\r\n${HTTPS}${type}${length}${headers}\r\n${body}`;
}

export async function startOauth2(
  upstreamPort: number,
  config: object = {},
  options: PlaneOptions = {},
): Promise<Oauth2Plane> {
  const records = new MemoryRecords();
  const plane = await startPlane(upstreamPort, {
    entities: ENTITIES as unknown as NonNullable<PlaneOptions['entities']>,
    records,
    plugins: [{ name: 'oauth2', config: { ...ALL, ...config } }],
    service: { entity: { id: SERVICE } as never },
    ...options,
    settings: { database: 'sqlite', trusted_ips: '127.0.0.0/8', ...options.settings },
  });
  const send = async (request: string): Promise<Oauth2Answer> => {
    const { responses } = await rawRequest(plane.port, request);
    const [response] = responses;
    assert.ok(response !== undefined, 'no answer');
    const body = answerBody(response.text());
    return { status: response.status, body, header: (name) => response.header(name) };
  };
  const authorize = (form: Form): Promise<Oauth2Answer> => send(post('/x/oauth2/authorize', form, ''));
  return {
    plane,
    records,
    send,
    authorize,
    token: (form, headers = '') => send(post('/x/oauth2/token', form, headers)),
    get: (headers = '', target = '/thing') =>
      send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n${headers}\r\n`),
    async code(form = {}) {
      const wanted = {
        provision_key: KEY,
        authenticated_userid: 'user-1',
        response_type: 'code',
        client_id: 'app',
        scope: 'email',
        ...form,
      };
      const { body } = await authorize(wanted);
      return new URL(body.redirect_uri).searchParams.get('code') ?? assert.fail(JSON.stringify(body));
    },
    [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
  };
}
