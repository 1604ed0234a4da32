/**
 * Which origin a response allows (`Access-Control-Allow-Origin`), by Kong's rules: a sole plain entry is answered whoever asks;
 * several are compared with the origin less its usual port; a regular expression has to match all of it, or all of its host
 * when it has no colon.
 */
import { re2 } from '../../lib/re2.ts';

/** What to answer. */
export interface Allowed {
  /** Null: no origin is named. */
  readonly origin: string | null;
  /** Everybody may: the answer is the same for all. */
  readonly all: boolean;
  /** Caches have to keep answers apart. */
  readonly varies: boolean;
}

const PLAIN = /^[A-Za-z0-9.:/-]+$/;
/** Origins whose answers are kept, and how long they may be. */
const KEPT = 1000;
const KEPT_LENGTH = 256;

interface Origin {
  /** Scheme, host and port, unless that is the scheme's own. */
  readonly domain: string;
  readonly host: string;
}

/** @param entries those of the configuration. Answers what the origin of a request gets; null: it has none. */
export function originRule(entries: readonly string[] | null): (origin: string | null) => Allowed {
  const [only] = entries ?? [];
  if (entries === null || only === undefined || (entries.length === 1 && only === '*')) {
    const everybody: Allowed = { origin: '*', all: true, varies: false };
    return () => everybody;
  }
  if (entries.length === 1 && PLAIN.test(only)) {
    const named: Allowed = { origin: only, all: false, varies: true };
    return () => named;
  }
  const nobody: Allowed = { origin: null, all: false, varies: true };
  if (entries.includes('*')) {
    const everybody: Allowed = { origin: '*', all: true, varies: true };
    return (origin) => (origin === null ? nobody : everybody);
  }
  return remembered(entries.map(matcher), nobody);
}

function remembered(
  matchers: ReadonlyArray<(origin: Origin) => boolean>,
  nobody: Allowed,
): (origin: string | null) => Allowed {
  const known = new Map<string, Allowed>();
  return (text) => {
    if (text === null) return nobody;
    const found = known.get(text);
    if (found !== undefined) return found;
    const origin = parseOrigin(text);
    const matches = matchers.some((match) => match(origin));
    const allowed = matches ? { origin: origin.domain, all: false, varies: true } : nobody;
    if (text.length <= KEPT_LENGTH) {
      if (known.size >= KEPT) known.clear();
      known.set(text, allowed);
    }
    return allowed;
  };
}

function matcher(entry: string): (origin: Origin) => boolean {
  if (PLAIN.test(entry)) {
    const { domain } = parseOrigin(entry);
    return (origin) => origin.domain === domain;
  }
  const pattern = re2().compile(entry);
  const byHost = !entry.includes(':');
  return (origin) => pattern.matches(byHost ? origin.host : origin.domain);
}

/** What is no URL with a host stands for itself. */
function parseOrigin(text: string): Origin {
  const [, scheme = '', authority = ''] = /^(?:([A-Za-z0-9][A-Za-z0-9+.-]*):)?\/\/([^/?#]*)/.exec(text) ?? [];
  const [, host = '', port = ''] = /^(?:[^@]*@)?(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/.exec(authority) ?? [];
  if (host === '') return { domain: text, host: text };
  const usual = (scheme === 'http' && port === '80') || (scheme === 'https' && port === '443');
  const shown = port === '' || usual ? '' : `:${port}`;
  return { domain: `${scheme === '' ? '' : `${scheme}://`}${host}${shown}`, host };
}
