/**
 * The admin and status listeners together: what they share (who may come in, TLS), and what a reload changes in them.
 * Loaded when the workers serve already. What answers requests is loaded when it is first asked for something: with what
 * it needs to know of entities the Admin API takes ten MiB, which most gateways without a database never need.
 */
import { existsSync } from 'node:fs';
import { createResolver } from '../balancer/resolver/create-resolver.ts';
import type { Settings } from '../settings/settings.ts';
import { formatAddress } from '../settings/parse-listen.ts';
import { listenerMode } from './admin/listener-mode.ts';
import { errorText } from './admin/request-error.ts';
import type { AdminApp } from './admin/resource.ts';
import { Authenticator } from './access/authenticator.ts';
import { FileTokens, grantsFile } from './access/file-tokens.ts';
import type { TokenStore } from './access/token-store.ts';
import { FailureThrottle } from './access/throttle.ts';
import { type Front, type HttpListener, openHttp } from './http-listener.ts';
import type { Gateway } from './gateway.ts';
import { Probes } from './probes.ts';
import { type ServerTls, type Side, serverTls } from './tls.ts';

const SIDES = ['admin', 'status'] as const satisfies readonly Side[];

export class AdminSide {
  readonly #gateway: Gateway;
  readonly #listeners: Record<Side, readonly HttpListener[]> = { admin: [], status: [] };
  readonly #next: Record<Side, ServerTls | null> = { admin: null, status: null };
  readonly #openStore: () => Promise<void>;
  #auth: Settings['admin_auth'] = null;

  /** @param openStore opens what the Admin API shows, if it is not open yet. */
  constructor(gateway: Gateway, openStore: () => Promise<void>) {
    this.#gateway = gateway;
    this.#openStore = once(openStore);
  }

  /** @throws Error that says what cannot be had. */
  async open(settings: Settings): Promise<void> {
    const { log, life } = this.#gateway;
    const { writes } = life;
    this.#gateway.resolver = createResolver(settings, (line) => log.admin.error('warn', line));
    const authenticator = new Authenticator({
      store: this.#tokens(settings),
      throttle: new FailureThrottle(),
      log: log.admin.error,
    });
    const apps = {
      admin: once(async () => {
        const [{ adminApp }] = await Promise.all([import('./admin/app.ts'), this.#openStore()]);
        return adminApp(this.#gateway, authenticator);
      }),
      status: once(async () => {
        const { statusApp } = await import('./admin/status-app.ts');
        return statusApp({ gateway: this.#gateway, authenticator, openStore: this.#openStore });
      }),
    };
    for (const side of SIDES) {
      this.#listeners[side] = await openHttp(settings[`${side}_listen`], {
        front: (address) => loadFront(apps[side], address),
        probes: side === 'status' ? new Probes(this.#gateway) : null,
        onError: (error) => log[side].error('error', errorText(error)),
        access: log[side].access,
        tls: tlsOf(settings, side),
        writes,
      });
    }
    this.#warnClosed(settings);
  }

  /** Before a reload: files of certificates are read again. @throws Error that says why it cannot serve them. */
  check(settings: Settings): void {
    for (const side of SIDES) this.#next[side] = tlsOf(settings, side);
  }

  /** After it: what was checked is served. */
  renew(settings: Settings): void {
    for (const side of SIDES) {
      const tls = this.#next[side];
      if (tls !== null) for (const listener of this.#listeners[side]) listener.renew(tls);
    }
    if (settings.admin_auth !== this.#auth) this.#warnClosed(settings);
  }

  close(): void {
    this.#gateway.resolver?.close();
    for (const side of SIDES) for (const listener of this.#listeners[side]) listener.close();
  }

  #tokens({ prefix, database }: Settings): TokenStore {
    const file = grantsFile(prefix);
    const { tokens, log } = this.#gateway;
    if (tokens === null) return new FileTokens(file);
    if (existsSync(file)) {
      log.admin.error(
        'warn',
        `the tokens in ${file} do not count with database = ${database}: make them again with ` +
          `'sluice admin token create', and remove the file`,
      );
    }
    return tokens;
  }

  #warnClosed(settings: Settings): void {
    this.#auth = settings.admin_auth;
    const closed = this.#listeners.admin.filter(
      (listener) => listenerMode(settings, listener.address) === 'closed',
    );
    for (const { host, port } of closed) {
      this.#gateway.log.admin.error(
        'warn',
        `admin_listen ${formatAddress(host, port)} can be reached from other machines and answers 401 to everything: ` +
          `set 'admin_auth = on' and make a token with 'sluice admin token create', ` +
          `or 'admin_auth = off' if everybody who can connect may change the configuration`,
      );
    }
  }
}

async function loadFront(app: () => Promise<AdminApp>, address: string): Promise<Front> {
  const [{ frontOf }, loaded] = await Promise.all([import('./request-listener.ts'), app()]);
  return frontOf(loaded, address);
}

/** One application for all listeners of a side. When it could not be loaded, the next request tries again. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | null = null;
  return () =>
    (loading ??= load().catch((error: unknown) => {
      loading = null;
      throw error;
    }));
}

/** Null: no listener of this side has TLS. */
function tlsOf(settings: Settings, side: Side): ServerTls | null {
  return settings[`${side}_listen`].some(({ ssl }) => ssl) ? serverTls(settings, side) : null;
}
