/**
 * What became of a choice: the version's header and the client's cookie on the response, the version in log entries, and
 * metrics of each version.
 */
import type { Exchange } from '../kit/exchange.ts';
import type { PluginServices } from '../kit/services.ts';

/** Milliseconds. */
const LATENCIES = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000];

interface Note {
  readonly version: string;
  readonly setCookie: string | null;
}

export interface LedgerOptions {
  /** Of the log entry: `FIELD.version`. */
  readonly field: string;
  /** Of the response; null: none. */
  readonly header: string | null;
}

export class VersionLedger {
  readonly #options: LedgerOptions;
  readonly #notes = new WeakMap<Exchange, Note>();
  /** Value of the label `name`: which configuration it is. */
  readonly #name: string;
  readonly #requests: (by: number, values: readonly string[]) => void;
  readonly #latency: (value: number, values: readonly string[]) => void;
  readonly #fallbacks: (by: number, values: readonly string[]) => void;

  constructor({ plugin, metrics }: Pick<PluginServices, 'plugin' | 'metrics'>, options: LedgerOptions) {
    this.#options = options;
    this.#name = plugin.instance_name ?? plugin.id;
    this.#requests = metrics.counter('requests_total', 'Requests by the version that they were sent to.', [
      'name',
      'version',
      'status',
    ]);
    this.#latency = metrics.histogram(
      'latency_milliseconds',
      'From the head of the request to the end of the response, by version.',
      LATENCIES,
      ['name', 'version'],
    );
    this.#fallbacks = metrics.counter(
      'fallbacks_total',
      'Requests that a version was chosen for which could not be asked.',
      ['name', 'version'],
    );
  }

  /** The request goes to this version. */
  note(exchange: Exchange, version: string, setCookie: string | null): void {
    this.#notes.set(exchange, { version, setCookie });
    exchange.log.set(`${this.#options.field}.version`, version);
  }

  /** The version was chosen and could not be asked. */
  fallback(version: string): void {
    this.#fallbacks(1, [this.#name, version]);
  }

  headerFilter(exchange: Exchange): void {
    const note = this.#notes.get(exchange);
    if (note === undefined) return;
    const { headers } = exchange.response;
    const { header } = this.#options;
    if (header !== null) headers.set(header, note.version);
    if (note.setCookie !== null) headers.add('Set-Cookie', note.setCookie);
  }

  log(exchange: Exchange): void {
    const note = this.#notes.get(exchange);
    if (note === undefined) return;
    const { status } = exchange.response;
    this.#requests(1, [this.#name, note.version, status < 100 ? 'none' : `${Math.floor(status / 100)}xx`]);
    this.#latency(Math.max(0, Date.now() - exchange.request.startedAt), [this.#name, note.version]);
  }
}
