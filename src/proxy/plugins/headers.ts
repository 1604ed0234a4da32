/**
 * Header fields as plugins see them: names in any case, values checked before they are written.
 *
 * How a message is framed and what concerns one connection is the gateway's: `Content-Length` and `Transfer-Encoding` come
 * of the body that is sent, whatever a plugin sets, and the other fields of a connection cannot be set at all.
 */
import type { EditHeaders } from '../../plugins/kit/exchange.ts';
import type { NameSet } from '../../wire/folded-names.ts';
import { FlatHeaders } from '../../wire/flat-headers.ts';
import type { Headers } from '../../wire/message.ts';
import type { Exchange } from '../exchange.ts';
import { editsOf } from './edits.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// eslint-disable-next-line no-control-regex
const BAD_VALUE = /[^\t\u0020-\u007e\u0080-\u00ff]/;

/** Made by the wire of the body that is sent: what a plugin says is passed over. */
const FRAMING = /^(?:content-length|transfer-encoding)$/i;
const CONNECTION = /^(?:connection|keep-alive|proxy-connection|upgrade|te|trailer|expect|http2-settings)$/i;

export class HeaderView implements EditHeaders {
  #headers: Headers;
  /** Why nothing can be changed any more, or null. */
  #closed: string | null = null;

  constructor(headers: Headers) {
    this.#headers = headers;
  }

  /** For the runner: what is written from now on would be lost. */
  close(why: string): void {
    this.#closed = why;
  }

  /**
   * For the runner: the memory that the fields lie in will be another message's soon.
   *
   * @param copy whether somebody may still ask; otherwise there are no fields any more.
   */
  detach(copy: boolean): void {
    this.#headers = copy ? copyOf(this.#headers) : new FlatHeaders();
  }

  get(name: string): string | undefined {
    return this.#headers.get(name.toLowerCase());
  }

  all(name: string): readonly string[] {
    return this.#headers.all(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#headers.has(name.toLowerCase());
  }

  *entries(): IterableIterator<[name: string, value: string]> {
    const all: Array<[string, string]> = [];
    this.#headers.each((name, value) => all.push([name.toLowerCase(), value]));
    yield* all;
  }

  set(name: string, value: string | readonly string[]): void {
    const values = typeof value === 'string' ? [value] : value;
    for (const one of values) check(name, one);
    this.#open();
    if (!passed.has(name) && isFraming(name)) return;
    const [only] = values;
    if (values.length === 1 && only !== undefined) return this.#headers.set(name, only);
    this.#headers.remove(name);
    for (const one of values) this.#headers.add(name, one);
  }

  add(name: string, value: string): void {
    check(name, value);
    this.#open();
    if (passed.has(name) || !isFraming(name)) this.#headers.add(name, value);
  }

  remove(name: string): void {
    this.#open();
    this.#headers.remove(name);
  }

  removeSpellings(names: NameSet): void {
    this.#open();
    this.#headers.removeSpellings(names);
  }

  #open(): void {
    if (this.#closed !== null) throw new Error(this.#closed);
  }
}

/** Those of a request, whose Host stands apart. */
export class RequestHeaderView extends HeaderView {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    super(exchange.request.headers);
    this.#exchange = exchange;
  }

  get #host(): string | undefined {
    return (this.#exchange.edits?.host ?? this.#exchange.request.authority) || undefined;
  }

  override get(name: string): string | undefined {
    return isHost(name) ? this.#host : super.get(name);
  }

  override all(name: string): readonly string[] {
    if (!isHost(name)) return super.all(name);
    const host = this.#host;
    return host === undefined ? [] : [host];
  }

  override has(name: string): boolean {
    return isHost(name) ? this.#host !== undefined : super.has(name);
  }

  override *entries(): IterableIterator<[name: string, value: string]> {
    const host = this.#host;
    if (host !== undefined) yield ['host', host];
    yield* super.entries();
  }

  override set(name: string, value: string | readonly string[]): void {
    if (!isHost(name)) return super.set(name, value);
    setHost(this.#exchange, typeof value === 'string' ? value : (value[0] ?? ''));
  }

  /** There is one Host. */
  override add(name: string, value: string): void {
    if (isHost(name)) this.set(name, value);
    else super.add(name, value);
  }

  /** The upstream is sent what it would be sent without a plugin: a request has a Host. */
  override remove(name: string): void {
    if (!isHost(name)) return super.remove(name);
    if (this.#exchange.edits !== null) this.#exchange.edits.host = null;
  }
}

const HOST = /^[^\s/?#@\\]+$/;

/** @throws TypeError, Error when the request has been forwarded. */
export function setHost(exchange: Exchange, host: string): void {
  check('Host', host);
  if (!HOST.test(host)) throw new TypeError(`'${host}' is not a host`);
  editsOf(exchange).host = host;
}

/** Said by the wire, whatever a plugin says. */
export function isFraming(name: string): boolean {
  return FRAMING.test(name);
}

function isHost(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === 'host';
}

export function copyOf(headers: Headers): FlatHeaders {
  const fields: string[] = [];
  headers.each((name, value) => fields.push(name, value));
  return FlatHeaders.of(fields);
}

/** Names that have passed: plugins write few different ones, and each on every request. */
const passed = new Set<string>();
const MOST_PASSED = 1000;

/** Values are Latin-1 on the wire. @throws TypeError */
export function check(name: string, value: string): void {
  if (!passed.has(name)) checkName(name);
  if (typeof value !== 'string' || BAD_VALUE.test(value)) {
    throw new TypeError(`the value of header ${name} has characters that no header may have`);
  }
}

function checkName(name: string): void {
  if (typeof name !== 'string' || !TOKEN.test(name)) throw new TypeError(`'${name}' is not a header name`);
  if (CONNECTION.test(name))
    throw new TypeError(`${name} is for the gateway to say: it concerns a connection`);
  if (passed.size < MOST_PASSED && !isFraming(name)) passed.add(name);
}
