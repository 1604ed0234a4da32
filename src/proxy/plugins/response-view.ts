/** The response that the client gets, for plugins. */
import { reasonPhrase } from '../../lib/reason-phrases.ts';
import type { EditHeaders, OutgoingResponse } from '../../plugins/kit/exchange.ts';
import { FlatHeaders } from '../../wire/flat-headers.ts';
import type { Headers } from '../../wire/message.ts';
import type { Exchange } from '../exchange.ts';
import { HeaderView } from './headers.ts';

/** The head while filters run on it. */
export interface EditedHead {
  status: number;
  reason: string;
  readonly headers: Headers;
  bodyLength: number;
}

const TOO_LATE = 'the head of the response can only be changed before it is sent';

export class ResponseView implements OutgoingResponse {
  readonly #exchange: Exchange;
  /** Null before there is a response, and when it has been sent. */
  #head: EditedHead | null = null;
  #headers: HeaderView;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#headers = new HeaderView(exchange.sentHeaders ?? new FlatHeaders());
    this.#headers.close(TOO_LATE);
  }

  /** For the runner: filters see this head from now on. */
  begin(head: EditedHead): void {
    this.#head = head;
    this.#headers = new HeaderView(head.headers);
  }

  /** For the runner: it is sent, and what is changed now would be lost. */
  sent(): void {
    this.#head = null;
    this.#headers.close(TOO_LATE);
  }

  /** For the runner: see `HeaderView.detach`. */
  detach(copy: boolean): void {
    this.#headers.detach(copy);
  }

  get status(): number {
    return this.#head?.status ?? this.#exchange.status;
  }

  set status(status: number) {
    if (this.#head === null) throw new Error(TOO_LATE);
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new RangeError(`${status} is no status`);
    this.#head.status = status;
    this.#head.reason = reasonPhrase(status);
  }

  get headers(): EditHeaders {
    return this.#headers;
  }

  get source(): 'service' | 'exit' | 'error' {
    return this.#exchange.source;
  }

  get bytesSent(): number {
    return this.#exchange.bytesSent;
  }
}
