/**
 * The filters of pre-function and post-function. Each configuration has a sandbox in each worker, in which its snippets
 * keep what they like from one request to the next (as in Kong); when it breaks, the next request gets a new one.
 */
import { functionSource } from '../../lib/quickjs/check.ts';
import { Sandbox, SandboxBroken, type Script, ScriptError } from '../../lib/quickjs/sandbox.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { Filters, FilterResult } from '../kit/filters.ts';
import type { PluginServices } from '../kit/services.ts';
import { SnippetHost } from './host.ts';
import { BodyPiece } from './piece.ts';
import { PRELUDE } from './prelude.ts';
import { SNIPPET_PARAMETERS, SNIPPET_PHASES, type SnippetPhase } from './schema.ts';

const LIMITS = { memoryBytes: 24 * 1024 * 1024, stackBytes: 256 * 1024, callMs: 50 };
/** Snippets that name the body get it: it has to be there before they run. */
const WANTS_BODY = /\bget_?(?:raw_?)?body\b/i;
const MOST_REQUEST_BODY = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

type SnippetConfig = Readonly<Record<SnippetPhase, readonly string[]>>;

/** What a snippet did wrong: its own words, and no stack of ours. */
class SnippetFailed extends Error {
  override readonly name = 'SnippetFailed';

  constructor(message: string) {
    super(message);
    this.stack = message;
  }
}

/** Functions of the prelude: one for each phase, and two for that of bodies. */
const RUNS = ['certificate', 'rewrite', 'access', 'header_filter', 'log', 'piece', 'last'] as const;
type Run = (typeof RUNS)[number];

interface Loaded {
  readonly sandbox: Sandbox;
  readonly runs: ReadonlyMap<Run, Script>;
}

class Snippets {
  readonly host: SnippetHost;
  readonly #config: SnippetConfig;
  #loaded: Loaded;

  /** @throws Error when a snippet is no JavaScript. */
  constructor(config: SnippetConfig, gateway: PluginServices) {
    this.#config = config;
    this.host = new SnippetHost(gateway);
    this.#loaded = this.#load();
  }

  #load(): Loaded {
    const sandbox = new Sandbox(LIMITS);
    const [add, ...scripts] = sandbox.install(PRELUDE, 'kong', this.host.table, ['add', ...RUNS]);
    if (add === undefined) throw new Error('no prelude');
    for (const phase of SNIPPET_PHASES) {
      this.#config[phase].forEach((source, index) => {
        const file = `${phase}[${index + 1}]`;
        sandbox.pass(add, phase, functionSource(source, SNIPPET_PARAMETERS), file);
      });
    }
    return { sandbox, runs: new Map(RUNS.map((run, at) => [run, scripts[at] as Script])) };
  }

  /** @returns with `piece` and `last` JSON of the text in place of the piece, or undefined. @throws SnippetFailed */
  run(run: Run): string | undefined {
    if (this.#loaded.sandbox.broken) this.#loaded = this.#load();
    const { sandbox, runs } = this.#loaded;
    try {
      return sandbox.call(runs.get(run) as Script);
    } catch (error) {
      if (!(error instanceof ScriptError || error instanceof SandboxBroken)) throw error;
      const lost = sandbox.broken ? '; what snippets kept is lost' : '';
      const where = error instanceof SandboxBroken ? `${this.host.phase}: ` : '';
      throw new SnippetFailed(`${where}${error.message}${lost}`);
    } finally {
      this.host.end();
    }
  }
}

export function snippetFilters(config: SnippetConfig, gateway: PluginServices): Filters {
  const has = (phase: SnippetPhase): boolean => config[phase].length > 0;
  const snippets = new Snippets(config, gateway);
  const early = has('rewrite') || has('access');
  return {
    ...(has('certificate') ? { certificate: handshakeFilter(snippets) } : {}),
    ...(has('rewrite') ? { rewrite: requestFilter(snippets, 'rewrite', config.rewrite) } : {}),
    ...(has('access') ? { access: requestFilter(snippets, 'access', config.access) } : {}),
    ...(early || has('header_filter') ? { headerFilter: headFilter(snippets, has('header_filter')) } : {}),
    ...(has('body_filter') ? { bodyFilter: bodyFilter(snippets) } : {}),
    ...(has('log')
      ? {
          log(exchange: Exchange): void {
            snippets.host.begin('log', exchange);
            snippets.run('log');
          },
        }
      : {}),
  };
}

function handshakeFilter(snippets: Snippets): NonNullable<Filters['certificate']> {
  return (handshake) => {
    snippets.host.beginHandshake(handshake);
    snippets.run('certificate');
  };
}

function requestFilter(
  snippets: Snippets,
  phase: 'rewrite' | 'access',
  sources: readonly string[],
): NonNullable<Filters['access']> {
  const { host } = snippets;
  const run = (exchange: Exchange, body: Buffer | null): FilterResult => {
    host.begin(phase, exchange);
    if (body !== null) host.requestBody = body.toString();
    snippets.run(phase);
    return host.reply ?? undefined;
  };
  if (!sources.some((source) => WANTS_BODY.test(source))) return (exchange) => run(exchange, null);
  return async (exchange) => run(exchange, await exchange.request.body({ limit: MOST_REQUEST_BODY }));
}

function headFilter(snippets: Snippets, runs: boolean): NonNullable<Filters['headerFilter']> {
  const { host } = snippets;
  return (exchange) => {
    host.early.apply(exchange);
    if (!runs) return;
    host.begin('header_filter', exchange);
    snippets.run('header_filter');
  };
}

function bodyFilter(snippets: Snippets): NonNullable<Filters['bodyFilter']> {
  const { host } = snippets;
  return (exchange, chunk, last) => {
    const state = host.stateOf(exchange);
    if (state.replaced) return NOTHING;
    const piece = new BodyPiece(state, chunk, last);
    host.begin('body_filter', exchange);
    host.piece = piece;
    const replaced = snippets.run(last ? 'last' : 'piece');
    if (replaced !== undefined) piece.set(JSON.parse(replaced) as string);
    return piece.result;
  };
}
