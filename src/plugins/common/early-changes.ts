/**
 * Changes of the response that a plugin asks for before there is one (Kong lets `kong.response.set_header` be called while
 * the request is on its way): kept with the exchange, and made when the head goes out.
 */
import type { Exchange } from '../kit/exchange.ts';

type Change = (exchange: Exchange) => void;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// eslint-disable-next-line no-control-regex
const BAD_VALUE = /[^\t\u0020-\u007e\u0080-\u00ff]/;

/** What would be refused when the change is made, at once: whoever asked for it can still be told. @throws TypeError */
export function checkHeader(name: string, values: readonly string[]): void {
  if (!TOKEN.test(name)) throw new TypeError(`'${name}' is not a header name`);
  if (values.some((value) => BAD_VALUE.test(value))) {
    throw new TypeError(`the value of header ${name} has characters that no header may have`);
  }
}

/** Of one exchange. */
const MOST = 200;

export class EarlyChanges {
  readonly #waiting = new WeakMap<Exchange, Change[]>();

  /** @throws RangeError there are too many. */
  add(exchange: Exchange, change: Change): void {
    const changes = this.#waiting.get(exchange);
    if (changes === undefined) this.#waiting.set(exchange, [change]);
    else if (changes.length < MOST) changes.push(change);
    else throw new RangeError('too many changes of a response that is not there yet');
  }

  apply(exchange: Exchange): void {
    const changes = this.#waiting.get(exchange);
    if (changes === undefined) return;
    this.#waiting.delete(exchange);
    for (const change of changes) change(exchange);
  }
}
