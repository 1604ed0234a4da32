/** One exchange as plugins see it. Each noun is made when a plugin first asks for it. */
import type { ConsumerGroup } from '../../entities/consumer-group.ts';
import type { Consumer } from '../../entities/consumer.ts';
import type { Route } from '../../entities/route.ts';
import type { Service } from '../../entities/service.ts';
import type * as kit from '../../plugins/kit/exchange.ts';
import type { TryRecord } from '../../plugins/kit/tries.ts';
import type { Exchange } from '../exchange.ts';
import { RequestHeaderView } from './headers.ts';
import { LogView } from './log-view.ts';
import { ClientView, RequestView } from './request-view.ts';
import { ResponseView } from './response-view.ts';
import { UpstreamRequestView, UpstreamResponseView } from './upstream-view.ts';

const FORWARDED = 'the request has been forwarded or answered';
const NO_TRIES: readonly TryRecord[] = [];
const NO_GROUPS: readonly ConsumerGroup[] = [];

export class ExchangeView implements kit.Exchange {
  readonly #exchange: Exchange;
  #client: ClientView | null = null;
  #headers: RequestHeaderView | null = null;
  #request: RequestView | null = null;
  #upstreamRequest: UpstreamRequestView | null = null;
  #upstreamResponse: UpstreamResponseView | null = null;
  #response: ResponseView | null = null;
  #shared: Map<string, unknown> | null = null;
  #log: LogView | null = null;
  #aborter: AbortController | null = null;
  #groups: readonly ConsumerGroup[] | null = null;
  /** Whether fields were copied when the exchange ended; null: it has not. */
  #detached: boolean | null = null;
  consumer: Consumer | null = null;
  credential: kit.Credential | null = null;
  authenticatedGroups: readonly string[] | null = null;
  /** Who calls has been said since the runner looked last. */
  identified = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get id(): string {
    return this.#exchange.id;
  }

  get client(): kit.Client {
    return (this.#client ??= new ClientView(this.#exchange));
  }

  get request(): kit.IncomingRequest {
    return (this.#request ??= new RequestView(this.#exchange, this.#requestHeaders));
  }

  get upstreamRequest(): kit.UpstreamRequest {
    return (this.#upstreamRequest ??= new UpstreamRequestView(this.#exchange, this.#requestHeaders));
  }

  get upstreamResponse(): UpstreamResponseView {
    return (this.#upstreamResponse ??= new UpstreamResponseView(this.#exchange));
  }

  get response(): ResponseView {
    return (this.#response ??= new ResponseView(this.#exchange));
  }

  get tries(): readonly TryRecord[] {
    return this.#exchange.forward?.tries ?? NO_TRIES;
  }

  get route(): Route | null {
    return this.#exchange.route?.entity ?? null;
  }

  get service(): Service | null {
    return this.#exchange.route?.service?.entity ?? null;
  }

  get groups(): readonly ConsumerGroup[] {
    if (this.consumer === null) return NO_GROUPS;
    return (this.#groups ??= groupsOf(this.#exchange, this.consumer.id));
  }

  get shared(): Map<string, unknown> {
    return (this.#shared ??= new Map());
  }

  get log(): LogView {
    return (this.#log ??= new LogView());
  }

  /** Null: no plugin has put anything into the log entry. */
  get logFields(): LogView | null {
    return this.#log;
  }

  get signal(): AbortSignal {
    if (this.#aborter === null) {
      this.#aborter = new AbortController();
      if (this.#exchange.over) this.#aborter.abort();
    }
    return this.#aborter.signal;
  }

  authenticate(consumer: Consumer | null, credential: kit.Credential | null): void {
    this.consumer = consumer;
    this.credential = credential;
    this.#groups = null;
    this.identified = true;
    this.#exchange.consumerId = consumer?.id ?? credential?.id ?? null;
  }

  /** For the runner: the request's head is on its way. */
  forwarded(): void {
    this.#headers?.close(FORWARDED);
  }

  /** For the runner: the heads of the response have been copied. */
  keepHeaders(): void {
    this.#response?.detach(true);
    this.#upstreamResponse?.detach(true);
  }

  /**
   * For the runner: the exchange is over, and the memory of its heads will be another's.
   *
   * @param waited a log filter still works on it.
   */
  over(waited: boolean): void {
    this.#aborter?.abort();
    // Made now of what is still there: it may be asked for later.
    if (waited) this.#requestHeaders.detach(true);
    else this.#headers?.detach(false);
    if (waited) this.response.detach(true);
    else this.#response?.detach(false);
    if (waited || this.#upstreamResponse !== null) this.upstreamResponse.detach(waited);
    this.#detached = waited;
  }

  get #requestHeaders(): RequestHeaderView {
    if (this.#headers === null) {
      this.#headers = new RequestHeaderView(this.#exchange);
      if (this.#exchange.forward !== null) this.#headers.close(FORWARDED);
      if (this.#detached !== null) this.#headers.detach(false);
    }
    return this.#headers;
  }
}

function groupsOf(exchange: Exchange, consumerId: string): readonly ConsumerGroup[] {
  const { directory } = exchange.context;
  const groups: ConsumerGroup[] = [];
  for (const membership of directory.owned('consumer_group_consumers', consumerId)) {
    const group = directory.get('consumer_groups', membership.consumer_group.id);
    if (group !== null) groups.push(group);
  }
  return groups;
}
