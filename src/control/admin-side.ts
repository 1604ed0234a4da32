/**
 * The admin and status listeners together: what they share (who may come in, TLS), and what a reload changes in them.
 * Loaded when the workers serve already. What answers requests is loaded when it is first asked for something: with what
 * it needs to know of entities the Admin API takes ten MiB, which most gateways without a database never need.
 */
import { existsSync } from '../lib/node-fs.ts';
import { IpSet } from '../lib/ip-set.ts';
import { TimerWheel } from '../lib/timer-wheel.ts';
import type { Settings } from '../settings/settings.ts';
import { formatListener } from '../settings/parse-listen.ts';
import { listenerMode } from './admin/listener-mode.ts';
import { errorText } from './admin/error-text.ts';
import type { AdminApp } from './admin/resource.ts';
import { grantsFile } from './access/grants-format.ts';
import { type Front, type HttpListener, openHttp } from './http-listener.ts';
import type { Gateway } from './gateway.ts';
import { Probes } from './probes.ts';
import type { ServerTls, Side, serverTls } from './tls.ts';

const SIDES = ['admin', 'status'] as const satisfies readonly Side[];

export class AdminSide {
  readonly #gateway: Gateway;
  readonly #listeners: Record<Side, readonly HttpListener[]> = { admin: [], status: [] };
  readonly #next: Record<Side, ServerTls | null> = { admin: null, status: null };
  readonly #openStore: () => Promise<void>;
  /** Null: no listener has TLS, which a reload cannot change. */
  #serverTls: typeof serverTls | null = null;
  #auth: Settings['admin_auth'] = null;
  /** `trusted_ips`: who may send PROXY headers. */
  #trusted = new IpSet([]);
  readonly #wheel = new TimerWheel();

  /** @param openStore opens what the Admin API shows, if it is not open yet. */
  constructor(gateway: Gateway, openStore: () => Promise<void>) {
    this.#gateway = gateway;
    this.#openStore = once(openStore);
  }

  /** @throws Error that says what cannot be had. */
  async open(settings: Settings): Promise<void> {
    const { log, life } = this.#gateway;
    this.#trusted = new IpSet(settings.trusted_ips);
    const back = once(async () => (await import('./admin/back.ts')).openBack(this.#gateway, settings));
    const openStore = this.#openStore;
    const apps = {
      admin: once(async () => {
        const [{ adminApp }, authenticator] = await Promise.all([
          import('./admin/app.ts'),
          back(),
          openStore(),
        ]);
        return adminApp(this.#gateway, authenticator);
      }),
      status: once(async () => {
        const [{ statusApp }, authenticator] = await Promise.all([import('./admin/status-app.ts'), back()]);
        return statusApp({ gateway: this.#gateway, authenticator, openStore });
      }),
    };
    if (SIDES.some((side) => hasTls(settings, side))) this.#serverTls = (await import('./tls.ts')).serverTls;
    for (const side of SIDES) {
      this.#listeners[side] = await openHttp(settings[`${side}_listen`], {
        front: (address) => loadFront(apps[side], address),
        probes: side === 'status' ? new Probes(this.#gateway) : null,
        onError: (error) => log[side].error('error', errorText(error)),
        access: log[side].access,
        tls: this.#tlsOf(settings, side),
        writes: life.writes,
        proxyHeaders: {
          wheel: this.#wheel,
          trusts: (address: string) => this.#trusted.has(address),
          onRefused: (message: string) => log[side].error('info', message),
        },
      });
    }
    this.#warnOfTokens(settings);
    this.#warnClosed(settings);
  }

  /** Before a reload: files of certificates are read again. @throws Error that says why it cannot serve them. */
  check(settings: Settings): void {
    for (const side of SIDES) this.#next[side] = this.#tlsOf(settings, side);
  }

  /** After it: what was checked is served. */
  renew(settings: Settings): void {
    this.#trusted = new IpSet(settings.trusted_ips);
    for (const side of SIDES) {
      const tls = this.#next[side];
      if (tls !== null) for (const listener of this.#listeners[side]) listener.renew(tls);
    }
    if (settings.admin_auth !== this.#auth) this.#warnClosed(settings);
  }

  close(): void {
    this.#wheel.close();
    for (const side of SIDES) for (const listener of this.#listeners[side]) listener.close();
  }

  /** Null: no listener of this side has TLS. */
  #tlsOf(settings: Settings, side: Side): ServerTls | null {
    return hasTls(settings, side) ? (this.#serverTls?.(settings, side) ?? null) : null;
  }

  #warnOfTokens({ prefix, database }: Settings): void {
    const file = grantsFile(prefix);
    const { tokens, log } = this.#gateway;
    if (tokens === null || !existsSync(file)) return;
    log.admin.error(
      'warn',
      `the tokens in ${file} do not count with database = ${database}: make them again with ` +
        `'sluice admin token create', and remove the file`,
    );
  }

  #warnClosed(settings: Settings): void {
    this.#auth = settings.admin_auth;
    const closed = this.#listeners.admin.filter(
      (listener) => listenerMode(settings, listener.address) === 'closed',
    );
    for (const listener of closed) {
      this.#gateway.log.admin.error(
        'warn',
        `admin_listen ${formatListener(listener)} can be reached from other machines and answers 401 to everything: ` +
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

function hasTls(settings: Settings, side: Side): boolean {
  return settings[`${side}_listen`].some(({ ssl }) => ssl);
}
