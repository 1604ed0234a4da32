/** The system's resolver configuration (resolv.conf(5)). */
import { ipFamily } from '../../lib/is-ip.ts';
import { readFileSync } from '../../lib/node-fs.ts';

export interface ResolvConf {
  /** Addresses of name servers in order; empty: there are none. */
  readonly servers: readonly string[];
  /** Search domains in order. */
  readonly search: readonly string[];
  /** A name with at least so many dots is tried as it is first. */
  readonly ndots: number;
  /** Milliseconds for one try. */
  readonly timeout: number;
  readonly attempts: number;
  /** Each name server in turn is asked first. */
  readonly rotate: boolean;
}

const DEFAULTS: ResolvConf = {
  servers: [],
  search: [],
  ndots: 1,
  timeout: 2000,
  attempts: 3,
  rotate: false,
};
/** glibc's former bound, so that one name cannot become any number of queries. */
const MAX_SEARCH = 6;
const MAX_SERVERS = 8;

/** An absent or unreadable file is an empty one. */
export function readResolvConf(path: string): ResolvConf {
  try {
    return parseResolvConf(readFileSync(path, 'utf8'));
  } catch {
    return DEFAULTS;
  }
}

/** The last `search` or `domain` line counts; values beyond the bounds of resolv.conf(5) are cut to them. */
export function parseResolvConf(text: string): ResolvConf {
  const conf: { -readonly [K in keyof ResolvConf]: ResolvConf[K] } = { ...DEFAULTS };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && conf.servers.length < MAX_SERVERS) {
      // An address of the link has the name of its interface behind it.
      const server = values[0] ?? '';
      if (ipFamily(server.replace(/%[\w.-]+$/, '')) !== 0) conf.servers = [...conf.servers, server];
    }
    if (keyword === 'search' || keyword === 'domain') {
      const domains = values
        .map((domain) => domain.toLowerCase().replace(/^\.|\.$/g, ''))
        .filter((domain) => domain !== '');
      conf.search = domains.slice(0, MAX_SEARCH);
    }
    if (keyword !== 'options') continue;
    for (const option of values) Object.assign(conf, parseOption(option));
  }
  return conf;
}

function parseOption(option: string): Partial<ResolvConf> {
  if (option === 'rotate') return { rotate: true };
  const [, name, digits] = /^(ndots|timeout|attempts):(\d{1,5})$/.exec(option) ?? [];
  const value = Number(digits);
  if (name === 'ndots') return { ndots: Math.min(value, 15) };
  if (name === 'timeout') return { timeout: Math.min(Math.max(value, 1), 30) * 1000 };
  return name === 'attempts' ? { attempts: Math.min(Math.max(value, 1), 5) } : {};
}
