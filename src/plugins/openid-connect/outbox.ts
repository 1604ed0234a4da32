/** What the client is sent with whatever response comes: cookies and headers, written when its head leaves. */
import type { Exchange } from '../kit/exchange.ts';

interface Mail {
  /** By name of the cookie: of two that are written the later counts. */
  readonly cookies: Map<string, readonly string[]>;
  readonly headers: Map<string, string>;
}

export class Outbox {
  readonly #mail = new WeakMap<Exchange, Mail>();

  #of(exchange: Exchange): Mail {
    let mail = this.#mail.get(exchange);
    if (mail === undefined) this.#mail.set(exchange, (mail = { cookies: new Map(), headers: new Map() }));
    return mail;
  }

  /** @param lines of Set-Cookie. */
  cookie(exchange: Exchange, name: string, lines: readonly string[]): void {
    this.#of(exchange).cookies.set(name, lines);
  }

  header(exchange: Exchange, name: string, value: string): void {
    this.#of(exchange).headers.set(name, value);
  }

  deliver(exchange: Exchange): void {
    const mail = this.#mail.get(exchange);
    if (mail === undefined) return;
    const { headers } = exchange.response;
    for (const lines of mail.cookies.values()) for (const line of lines) headers.add('Set-Cookie', line);
    for (const [name, value] of mail.headers) headers.set(name, value);
  }
}
