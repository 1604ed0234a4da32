/** A gateway without threads or sockets, for tests of what the Admin API answers. */
import type { Settings } from '../../settings/settings.ts';
import { loadSettings } from '../../settings/load.ts';
import type { ConfigStore } from '../../store/config-store.ts';
import type { Authenticator } from '../access/authenticator.ts';
import { LogLevelOverride } from '../log-level-override.ts';
import type { Gateway } from '../gateway.ts';
import { RecordDesk } from '../record-desk.ts';
import type { Reloader } from '../reload.ts';
import { adminApp } from './app.ts';

export interface Asked {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Headers;
}

export interface FakeOptions {
  readonly settings?: Partial<Settings>;
  readonly store?: ConfigStore;
}

const NODE_ID = '11111111-2222-4333-8444-555555555555';

/** As much of a store without entities as these endpoints ask. */
const EMPTY = {
  revision: 0,
  refresh: () => Promise.resolve(),
  get: () => null,
  all: () => [].values(),
} as unknown as ConfigStore;

/** Answers a function that asks it: method, path, JSON body. */
export function fakeAdmin(options: FakeOptions = {}) {
  const { settings } = loadSettings({ file: '/dev/null', env: {} });
  const reloader = { settings: { ...settings, node_id: NODE_ID, ...options.settings } };
  const gateway = {
    log: { admin: { error: (_level: string, message: string) => process.stderr.write(`${message}\n`) } },
    reloader,
    logLevel: new LogLevelOverride(reloader as unknown as Reloader),
    supervisor: { workers: [] },
    store: options.store ?? EMPTY,
    records: new RecordDesk(),
  } as unknown as Gateway;
  const authenticator = {
    authenticate: () => Promise.resolve({ type: 'nobody' }),
  } as unknown as Authenticator;
  const app = adminApp(gateway, authenticator);
  const ask = async (method: string, path: string, body?: unknown): Promise<Asked> => {
    const init = body === undefined ? { method } : { method, ...jsonBody(body) };
    const response = await app.request(path, init, { listenAddress: '127.0.0.1' });
    const text = await response.text();
    const parsed = text === '' ? {} : (JSON.parse(text) as Asked['body']);
    return { status: response.status, body: parsed, headers: response.headers };
  };
  return { app, ask };
}

function jsonBody(body: unknown): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { body: text, headers: { 'content-type': 'application/json' } };
}
