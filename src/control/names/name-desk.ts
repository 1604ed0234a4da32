/**
 * Names for the whole node: the one resolver, on the main thread, and what it tells the workers.
 *
 * A worker asks for a name that it does not know, and is told; all workers are told of each change and of each new time
 * to live, many names in one message. The configuration's names are looked up when it is served, in the background:
 * nothing waits for them and a failure of theirs is no error. What resolves is loaded with the first name.
 */
import type { CachingResolver } from '../../balancer/resolver/caching-resolver.ts';
import type { NameEntry } from '../../balancer/resolver/name-entry.ts';
import type { NameState } from '../../balancer/resolver/name-state.ts';
import type { RefreshAhead } from '../../balancer/resolver/refresh-ahead.ts';
import type { ResolvedName, Resolver } from '../../balancer/resolver/resolver.ts';
import { monotonicMs } from '../../lib/monotonic.ts';
import type { Settings } from '../../settings/settings.ts';
import { readImage } from '../../snapshot/image.ts';
import { Slices } from '../../store/slices.ts';
import type { Log } from '../log.ts';
import type { NamesTell } from '../protocol.ts';
import type { Publication } from '../publisher.ts';
import { ConfiguredNames } from './configured-names.ts';

type Post = (tell: NamesTell) => void;

interface Tools {
  readonly resolver: CachingResolver;
  readonly ahead: RefreshAhead;
  readonly stateOf: (entry: NameEntry) => NameState;
  readonly failedState: (host: string, error: unknown) => NameState;
}

/** Names in one message to a worker that starts. */
const MAX_TOLD = 1000;

export class NameDesk implements Resolver {
  /** One octet for each name: workers note here that they use it. */
  readonly uses: SharedArrayBuffer;
  readonly #settings: Settings;
  readonly #log: Log;
  readonly #posts = new Set<Post>();
  readonly #configured = new ConfiguredNames();
  /** That the configured names are of; -1: of none that could be built on. */
  #revision = -1;
  #following: Promise<void> = Promise.resolve();
  #tools: Tools | null = null;
  #loading: Promise<Tools> | null = null;
  /** What workers have not been told yet. */
  readonly #news = new Set<NameEntry>();
  #closed = false;

  constructor(settings: Settings, log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.uses = new SharedArrayBuffer(settings.dns_cache_size + 1);
  }

  /** A worker that takes messages from now on, until it is disposed of: it is told what is known. */
  admit(post: Post): Disposable {
    this.#posts.add(post);
    this.#tellAll(post);
    return { [Symbol.dispose]: () => void this.#posts.delete(post) };
  }

  /** A worker wants a name, or that it be refreshed. */
  async answer(host: string, post: Post): Promise<void> {
    const { resolver, stateOf, failedState } = this.#tools ?? (await this.#load());
    try {
      await resolver.resolve(host);
    } catch (error) {
      const entry = resolver.find(host);
      return post({ names: [entry?.error ? stateOf(entry) : failedState(host, error)] });
    }
    const entry = resolver.find(host);
    if (entry !== undefined) post({ names: [stateOf(entry)] });
  }

  /** The names of a configuration that is about to be served. Never fails, and is not waited for. */
  follow(next: Publication): void {
    if (!this.#settings.dns_refresh_ahead) return;
    this.#following = this.#following.then(async () => {
      try {
        await this.#follow(next);
      } catch (error) {
        this.#revision = -1;
        const reason = error instanceof Error ? error.message : String(error);
        this.#log('error', `dns: the names of revision ${next.revision} are not looked up ahead: ${reason}`);
      }
    });
  }

  peek(host: string): ResolvedName | null {
    return this.#tools?.resolver.peek(host) ?? null;
  }

  async resolve(host: string): Promise<ResolvedName> {
    const { resolver } = this.#tools ?? (await this.#load());
    return await resolver.resolve(host);
  }

  close(): void {
    this.#closed = true;
    this.#posts.clear();
    this.#tools?.ahead.close();
    this.#tools?.resolver.close();
  }

  async #follow(next: Publication): Promise<void> {
    if (this.#closed) return;
    const { delta } = next;
    const fits = delta !== null && readImage(delta).baseRevision === this.#revision;
    const names = this.#configured;
    const steps = fits ? names.applyInSteps(delta) : names.replaceInSteps(await next.image());
    await new Slices().run(steps);
    this.#revision = next.revision;
    const hosts = names.hosts(this.#settings.dns_cache_size);
    if (hosts === null || (hosts.size === 0 && this.#tools === null)) return;
    const { ahead } = this.#tools ?? (await this.#load());
    ahead.configure(hosts);
  }

  #load(): Promise<Tools> {
    return (this.#loading ??= this.#open());
  }

  async #open(): Promise<Tools> {
    const [{ createResolver }, { RefreshAhead }, { stateOf, failedState }] = await Promise.all([
      import('../../balancer/resolver/create-resolver.ts'),
      import('../../balancer/resolver/refresh-ahead.ts'),
      import('../../balancer/resolver/name-state.ts'),
    ]);
    const resolver = createResolver(this.#settings, (line) => this.#log('warn', line));
    const ahead = new RefreshAhead({
      resolver,
      uses: new Uint8Array(this.uses),
      now: monotonicMs,
      ahead: this.#settings.dns_refresh_ahead,
      staleMs: this.#settings.dns_stale_ttl * 1000,
      onSettled: (entry) => this.#note(entry),
    });
    this.#tools = { resolver, ahead, stateOf, failedState };
    if (this.#closed) this.close();
    return this.#tools;
  }

  /** What fails and has addresses yet is nothing new; who asked for a name with TTL 0 has its own answer. */
  #note(entry: NameEntry): void {
    if (entry.ring !== null && (entry.failures > 0 || entry.ttl === 0)) return;
    if (this.#news.size === 0) setImmediate(() => this.#tell());
    this.#news.add(entry);
  }

  #tell(): void {
    const tools = this.#tools;
    if (tools === null) return;
    const names = [...this.#news].map(tools.stateOf);
    this.#news.clear();
    for (const post of this.#posts) post({ names });
  }

  #tellAll(post: Post): void {
    const tools = this.#tools;
    if (tools === null) return;
    let names: NameState[] = [];
    for (const entry of tools.resolver.entries()) {
      if (entry.ring === null || entry.ttl === Infinity) continue;
      names.push(tools.stateOf(entry));
      if (names.length < MAX_TOLD) continue;
      post({ names });
      names = [];
    }
    if (names.length > 0) post({ names });
  }
}
