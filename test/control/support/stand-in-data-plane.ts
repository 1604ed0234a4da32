/**
 * A data plane for tests of supervision: answers every request with the revision that it serves, and does on command
 * what a real one must never do: throw outside of a request, block, eat memory.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type Server, type ServerResponse, createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { DirectoryEntities } from '../../../src/entities/directory-kinds.ts';
import type { Settings } from '../../../src/settings/settings.ts';
import type { Snapshot } from '../../../src/snapshot/snapshot.ts';
import type { CachedRecords } from '../../../src/store/records/cached-records.ts';
import type { RecordStore } from '../../../src/store/records/records.ts';
import type { Directory } from '../../../src/zone/directory/directory.ts';
import { CELL, type WorkerZone } from '../../../src/zone/worker-zone.ts';

interface Options {
  readonly settings: Settings;
  readonly workerId: number;
  readonly zone: WorkerZone;
  readonly records: RecordStore;
  readonly recordCache: CachedRecords;
  readonly directory: Directory<DirectoryEntities>;
}

export class DataPlane {
  readonly #options: Options;
  readonly #server: Server;
  #settings: Settings;
  #snapshot: Snapshot | null = null;
  #reopened = 0;
  #dieOnCommit = false;

  constructor(options: Options) {
    this.#options = options;
    this.#settings = options.settings;
    this.#server = createServer((request, response) => this.#answer(request.url ?? '/', response));
    this.#server.on('connection', (socket) => {
      options.zone.increment(CELL.active);
      socket.on('close', () => options.zone.decrement(CELL.active));
    });
  }

  applySnapshot(snapshot: Snapshot): void {
    if (this.#dieOnCommit) process.exit(7);
    this.#snapshot = snapshot;
  }

  updateSettings(settings: Settings): void {
    this.#settings = settings;
  }

  async listen(): Promise<void> {
    const [listener] = this.#options.settings.proxy_listen;
    this.#server.listen({ host: listener?.host, port: listener?.port, reusePort: true });
    await once(this.#server, 'listening');
  }

  async drain(graceMs: number): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
  }

  reopenLogs(): Promise<void> {
    this.#reopened += 1;
    return Promise.resolve();
  }

  #answer(url: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, 'http://x');
    this.#options.zone.increment(CELL.requests);
    response.setHeader('connection', 'close');
    if (pathname.startsWith('/records/')) {
      void this.#records(
        pathname.slice('/records/'.length),
        JSON.parse(searchParams.get('args') ?? '[]'),
      ).then((answer) => response.end(JSON.stringify({ worker: this.#options.workerId, ...answer })));
      return;
    }
    const gate = searchParams.get('gate');
    const mine = Number(searchParams.get('worker') ?? this.#options.workerId) === this.#options.workerId;
    if (pathname === '/throw' && mine) setImmediate(() => throwNow());
    else if (pathname === '/block' && mine) blockUntil(gate ?? '');
    else if (pathname === '/block-and-die') blockAndDie(gate);
    else if (pathname === '/die-on-commit') this.#dieOnCommit = true;
    else if (pathname === '/eat') eat();
    void opened(pathname === '/' ? gate : null).then(() => {
      const consumer = this.#consumerOf(searchParams.get('key') ?? '');
      response.end(JSON.stringify({ ...this.#state(), consumer }));
    });
  }

  /** What an authentication plugin will do. */
  #consumerOf(key: string): string | null {
    const { directory } = this.#options;
    const credential = directory.find('keyauth_credentials', 'key', key);
    return credential === null
      ? null
      : (directory.get('consumers', credential.consumer.id)?.username ?? null);
  }

  /** Calls a method of the records, or of their cache. */
  async #records(method: string, args: unknown): Promise<object> {
    const { records, recordCache } = this.#options;
    const target = (method.startsWith('cached-') ? recordCache : records) as unknown as Record<
      string,
      (...args: unknown[]) => unknown
    >;
    try {
      const found = target[method.replace('cached-', '')]?.apply(target, args as unknown[]);
      return { hit: !(found instanceof Promise), value: await found };
    } catch (error) {
      return { error: String(error) };
    }
  }

  #state(): object {
    return {
      worker: this.#options.workerId,
      revision: this.#snapshot?.revision ?? null,
      logLevel: this.#settings.log_level,
      reopened: this.#reopened,
    };
  }
}

/** Dies with whatever it was sent meanwhile unread. */
function blockAndDie(gate: string | null): void {
  if (gate !== null) blockUntil(gate);
  process.exit(7);
}

function throwNow(): never {
  throw new Error('thrown on purpose');
}

/** A gate is a file, which the test makes to open it. Null: there is none. */
async function opened(gate: string | null): Promise<void> {
  while (gate !== null && !existsSync(gate)) await delay(5);
}

/** Keeps the thread from everything until the gate is open. */
function blockUntil(gate: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(gate)) Atomics.wait(clock, 0, 0, 2);
}

/** Takes memory until the thread's limit ends it. */
function eat(): void {
  const food: unknown[] = [];
  for (;;) food.push(Array.from({ length: 1000 }, () => ({ food: food.length })));
}
