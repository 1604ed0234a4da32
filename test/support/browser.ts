/**
 * A browser without a window: cookies by the rules that browsers have (RFC 6265bis: Domain, Path, Secure, SameSite, HttpOnly
 * is no matter here, Max-Age; ports do not tell hosts apart), redirects followed as navigations.
 */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly host: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly sameSite: 'strict' | 'lax' | 'none';
  readonly attributes: string;
}

export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface VisitOptions {
  readonly method?: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The page that leads there; none: typed into the address bar. */
  readonly from?: URL;
  /** Redirects that are followed; all unless said. */
  readonly redirects?: number;
}

const MOST_REDIRECTS = 20;

export class Browser {
  #cookies: Cookie[] = [];
  /** Redirects to such places are not followed; null: all are. */
  stopAt: ((url: URL) => boolean) | null = null;
  /** What has been visited, oldest first. */
  readonly history: Page[] = [];

  cookie(name: string): Cookie | undefined {
    return this.#cookies.find((cookie) => cookie.name === name);
  }

  get cookies(): readonly Cookie[] {
    return this.#cookies;
  }

  /** Plays an attacker, or forgetfulness. @param value null: without it. */
  setCookie(name: string, value: string | null): void {
    this.#cookies = this.#cookies.flatMap((cookie) =>
      cookie.name !== name ? [cookie] : value === null ? [] : [{ ...cookie, value }],
    );
  }

  async visit(target: string | URL, options: VisitOptions = {}): Promise<Page> {
    let url = new URL(target);
    let { method = options.form === undefined ? 'GET' : 'POST', form } = options;
    // A navigation is same-site only while each step of it is.
    let crossSite = options.from !== undefined && site(options.from) !== site(url);
    for (let left = options.redirects ?? MOST_REDIRECTS; ; left--) {
      const page = await this.#load(url, method, form, crossSite, options.headers ?? {});
      this.history.push(page);
      const refresh = /^0;url=(.*)$/.exec(String(page.headers['refresh'] ?? ''))?.[1];
      if (refresh !== undefined && left > 0) {
        // The page itself leads on.
        url = new URL(refresh, url);
        crossSite = site(page.url) !== site(url);
        [method, form] = ['GET', undefined];
        continue;
      }
      const { location } = page.headers;
      if (location === undefined || page.status < 300 || page.status > 399 || left === 0) return page;
      const next = new URL(location, url);
      if (this.stopAt?.(next) === true) return page;
      crossSite ||= site(next) !== site(url);
      if (page.status !== 307 && page.status !== 308) {
        if (method !== 'HEAD') method = 'GET';
        form = undefined;
      }
      url = next;
    }
  }

  /** Fills in and sends the first form of a page. */
  submit(page: Page, values: Readonly<Record<string, string>> = {}): Promise<Page> {
    const form = /<form[^>]*>([\s\S]*?)<\/form>/i.exec(page.body);
    if (form === null) throw new Error(`no form in ${page.body.slice(0, 500)}`);
    const action = /action="([^"]*)"/i.exec(form[0])?.[1] ?? '';
    const fields: Record<string, string> = {};
    for (const [input] of form[0].matchAll(/<input[^>]*>/gi)) {
      const name = /name="([^"]*)"/i.exec(input)?.[1];
      if (name !== undefined) fields[name] = unescape(/value="([^"]*)"/i.exec(input)?.[1] ?? '');
    }
    return this.visit(new URL(unescape(action), page.url), {
      form: { ...fields, ...values },
      from: page.url,
    });
  }

  async #load(
    url: URL,
    method: string,
    form: VisitOptions['form'],
    crossSite: boolean,
    headers: Readonly<Record<string, string>>,
  ): Promise<Page> {
    const body = form === undefined ? null : new URLSearchParams(form).toString();
    const cookies = this.#cookies.filter((cookie) => sent(cookie, url, method, crossSite));
    const sending = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method,
      agent: false,
      rejectUnauthorized: false,
      headers: {
        ...headers,
        ...(cookies.length === 0
          ? {}
          : { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') }),
        ...(body === null
          ? {}
          : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) }),
      },
    });
    sending.end(body ?? undefined);
    const [response] = (await once(sending, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString('utf8');
    for (const line of response.headers['set-cookie'] ?? []) this.#store(line, url);
    return { url, status: response.statusCode ?? 0, headers: response.headers, body: text };
  }

  #store(line: string, url: URL): void {
    const [pair = '', ...rest] = line.split(';').map((part) => part.trim());
    const attributes = new Map(
      rest.map((part) => {
        const [name = '', ...value] = part.split('=');
        return [name.toLowerCase(), value.join('=')] as const;
      }),
    );
    const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase();
    if (domain !== undefined && !matchesDomain(url.hostname, domain)) return;
    const secure = attributes.has('secure');
    const sameSite = attributes.get('samesite')?.toLowerCase() ?? 'lax';
    // Browsers drop these.
    if (secure && url.protocol !== 'https:') return;
    if (sameSite === 'none' && !secure) return;
    if (pair.length + line.length > 2 * 4096) return;
    const equals = pair.indexOf('=');
    const cookie: Cookie = {
      name: pair.slice(0, equals),
      value: pair.slice(equals + 1),
      host: domain ?? url.hostname,
      hostOnly: domain === undefined,
      path: attributes.get('path') ?? '/',
      secure,
      sameSite: sameSite === 'strict' || sameSite === 'none' ? sameSite : 'lax',
      attributes: rest.join('; '),
    };
    this.#cookies = this.#cookies.filter(
      ({ name, host, path }) => name !== cookie.name || host !== cookie.host || path !== cookie.path,
    );
    const maxAge = attributes.get('max-age');
    const expires = attributes.get('expires');
    const gone =
      maxAge === undefined ? expires !== undefined && Date.parse(expires) <= Date.now() : Number(maxAge) <= 0;
    if (!gone) this.#cookies.push(cookie);
  }
}

function unescape(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

/** Scheme and host: the hosts of the tests are sites of their own. */
function site(url: URL): string {
  return `${url.protocol}//${url.hostname}`;
}

function matchesDomain(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

function sent(cookie: Cookie, url: URL, method: string, crossSite: boolean): boolean {
  if (cookie.hostOnly ? cookie.host !== url.hostname : !matchesDomain(url.hostname, cookie.host))
    return false;
  if (cookie.secure && url.protocol !== 'https:') return false;
  const { path } = cookie;
  const inPath = url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
  if (!inPath) return false;
  if (!crossSite || cookie.sameSite === 'none') return true;
  return cookie.sameSite === 'lax' && (method === 'GET' || method === 'HEAD');
}
