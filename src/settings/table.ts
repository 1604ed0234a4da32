/**
 * Every setting in one table: default, reader, whether a reload takes it live, and the sentence for the reference page.
 * Parsing, messages and `docs/reference/settings.md` all come from here; the type makes the table complete.
 *
 * Names, notation and defaults are Kong 3.9's (and nginx's, for the directives that Kong injects by `nginx_http_…`)
 * where nothing else is said. A setting is `live` only if everything that reads it takes a new value when the data plane
 * is told (`updateSettings`); listeners, threads, files and what is sized once at start need a restart.
 */
import { resolve } from 'node:path';
import { POSTGRES_SETTINGS } from './postgres-table.ts';
import type { Settings } from './settings.ts';
import { ACCESS_SETTINGS } from './table-access.ts';
import { PLUGIN_SETTINGS } from './table-plugins.ts';
import { STREAM_SETTINGS } from './table-stream.ts';
import { CLIENT_TLS_SETTINGS } from './table-tls.ts';
import { HTTP2_SETTINGS } from './table-http2.ts';
import { UPSTREAM_TLS_SETTINGS } from './table-upstream-tls.ts';
import { adminListeners, listeners } from './parse-listen.ts';
import {
  boolean,
  buffers,
  headerName,
  headerTokens,
  integer,
  InvalidValue,
  ipOrCidr,
  list,
  logTarget,
  nameServer,
  oneOf,
  portMaps,
  readableFile,
  seconds,
  size,
  text,
  time,
  workers,
  uuid,
  type ValueParser,
} from './parse-value.ts';

export interface SettingSpec<T> {
  /** As one would write it in the file; null when the setting is unset by default (null, or an empty list or map). */
  readonly initial: string | null;
  readonly parse: ValueParser<T>;
  /** The value when neither set nor given a default. */
  readonly unset?: T;
  readonly takesEffect: 'live' | 'restart';
  /** A sentence about a value that is taken and yet does not do all that it says, or null. */
  warn?(value: T): string | null;
  /** Its value is shown to nobody. */
  readonly secret?: true;
  /** Other names for it (Kong's own aliases, nginx's server level); these win over the main name, as in Kong. */
  readonly aliases?: readonly string[];
  readonly section: Section;
  readonly doc: string;
}

export type Section =
  | 'General'
  | 'Listeners'
  | 'TLS'
  | 'Admin access'
  | 'Secrets'
  | 'Configuration'
  | 'Database'
  | 'Client side'
  | 'Headers'
  | 'Errors'
  | 'Upstream side'
  | 'Plugins'
  | 'DNS';

type Table = { readonly [K in keyof Settings]: SettingSpec<Settings[K]> };

const LATENCY = [
  'x-kong-proxy-latency',
  'x-kong-upstream-latency',
  'x-kong-response-latency',
  'x-kong-admin-latency',
];
const RESPONSE_TOKENS: Readonly<Record<string, readonly string[]>> = {
  server_tokens: ['via', 'server'],
  latency_tokens: LATENCY,
  ...Object.fromEntries(
    ['via', 'server', ...LATENCY, 'x-kong-upstream-status', 'x-kong-request-id'].map((name) => [
      name,
      [name],
    ]),
  ),
};

export const LOG_LEVELS = ['debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert', 'emerg'] as const;

const absolutePath: ValueParser<string> = (value) => resolve(value);

function plugins(value: string): readonly string[] {
  const names = list(text)(value);
  if (!names.includes('off')) return names;
  if (names.length > 1) throw new InvalidValue(`'off' cannot stand beside other names`);
  return [];
}

/** A token (RFC 9110 §5.6.2), since it goes into a header as it is. */
function charset(value: string): string | null {
  if (value === 'off') return null;
  if (!/^[A-Za-z0-9_-]+$/.test(value)) throw new InvalidValue(`'${value}' is no name of a charset`);
  return value;
}

/** nginx's name for the address of the PROXY protocol is no header. */
function realIpHeader(value: string): string {
  return value.toLowerCase() === 'proxy_protocol' ? 'proxy_protocol' : headerName(value);
}

/** nginx's optional second parameter adds a `Keep-Alive` response header, which nobody here sends. */
function keepaliveTimeout(value: string): number {
  if (/\s/.test(value)) throw new InvalidValue(`'${value}': only one time is supported`);
  return time(value);
}

export const SETTINGS: Table = {
  prefix: {
    initial: null,
    parse: absolutePath,
    unset: '',
    takesEffect: 'restart',
    section: 'General',
    doc: 'Working directory: logs, pid file, control socket. Unset, it is `/usr/local/sluice` when this user is root or may write there, else `~/.sluice`.',
  },
  log_level: {
    initial: 'notice',
    parse: oneOf(...LOG_LEVELS),
    takesEffect: 'live',
    section: 'General',
    doc: 'Least level of the error logs: debug, info, notice, warn, error, crit, alert, emerg.',
  },
  node_id: {
    initial: null,
    parse: uuid,
    unset: null,
    takesEffect: 'restart',
    section: 'General',
    doc: 'The UUID by which this node is told from others. Unset, it is made once and kept in the file `kong.id` in the prefix.',
  },
  proxy_access_log: log(
    'logs/access.log',
    'Access log of the proxy: a path (relative to `prefix`), `/dev/stdout`, `/dev/stderr` or `off`.',
  ),
  proxy_error_log: log('logs/error.log', 'Error log of the proxy; the same kinds of values.'),
  admin_access_log: log('logs/admin_access.log', 'Access log of the admin listener.'),
  admin_error_log: log('logs/error.log', 'Error log of the admin listener.'),
  status_access_log: log('off', 'Access log of the status listener.'),
  status_error_log: log('logs/status_error.log', 'Error log of the status listener.'),
  nginx_worker_processes: {
    initial: 'auto',
    parse: (value) => workers(value),
    takesEffect: 'restart',
    aliases: ['nginx_main_worker_processes'],
    section: 'General',
    doc: 'Number of worker threads, each a whole data plane; `auto` is the number of cores. On anything but Linux it is 1.',
  },
  plugins: {
    initial: 'bundled',
    parse: plugins,
    takesEffect: 'restart',
    section: 'General',
    doc: 'Plugins that configurations may use: names, `bundled` for all that there are (those of `plugins_dir` too), or `off`. A name that is no plugin keeps the gateway from starting.',
  },
  plugin_zone_size: {
    initial: '16m',
    parse: size(256 * 1024, 4 * 1024 ** 3),
    takesEffect: 'restart',
    section: 'General',
    doc: "Sluice's own: memory in which plugins of all workers count and keep what they share, such as the counters of rate limits. It is taken from the system as it is used; when it is full, what was not used lately makes room. A counter takes 64 octets.",
  },

  proxy_listen: {
    initial: '0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=16384',
    parse: listeners,
    takesEffect: 'restart',
    section: 'Listeners',
    doc: 'Addresses for proxied traffic: `host:port` or `unix:/path` with the flags `ssl`, `http2`, `proxy_protocol`, `reuseport`, `backlog=N`, `ipv6only=on|off`, `so_keepalive=…`, `bind`; or `off`. A unix socket is served by the first worker.',
  },
  admin_listen: {
    initial: '127.0.0.1:8001 reuseport backlog=16384',
    parse: adminListeners,
    takesEffect: 'restart',
    section: 'Listeners',
    doc: 'Addresses of the Admin API, or `off`; the flags of `proxy_listen`, and `ssl` and `ssl http2`. Who may use it: `admin_auth`. Kong also listens on 8444 with TLS by default; here only when it is said.',
  },
  status_listen: {
    initial: '127.0.0.1:8007 reuseport backlog=16384',
    parse: adminListeners,
    takesEffect: 'restart',
    section: 'Listeners',
    doc: 'Addresses of the status API (health, metrics), or `off`; the flags of `admin_listen`.',
  },
  port_maps: {
    initial: null,
    parse: portMaps,
    unset: {},
    takesEffect: 'live',
    section: 'Listeners',
    doc: 'Public ports of listener ports behind a port mapping, `80:8000, 443:8443`: what X-Forwarded-Port and hosts of routes with a port mean.',
  },

  ...CLIENT_TLS_SETTINGS,
  ...STREAM_SETTINGS,
  ...PLUGIN_SETTINGS,
  ...ACCESS_SETTINGS,
  ...HTTP2_SETTINGS,

  database: {
    initial: null,
    unset: 'sqlite',
    parse: oneOf('off', 'sqlite', 'postgres'),
    takesEffect: 'restart',
    section: 'Configuration',
    doc: "Where the configuration lives: `off` (a declarative file), `sqlite` (a file in the prefix) or `postgres` (several nodes on one database, see Database below). Unset, it is `off` with a declarative file and else `sqlite`. Kong's default is `postgres`, so `pg_*` without this setting is refused.",
  },
  declarative_config: {
    initial: null,
    parse: absolutePath,
    unset: null,
    takesEffect: 'live',
    section: 'Configuration',
    doc: 'Path of the declarative file (YAML or JSON), relative to the working directory of the command. What `POST /config` puts in its place lasts until the next reload or the end of the process, as in Kong. With a database it is what an empty store begins with.',
  },
  declarative_config_string: {
    initial: null,
    parse: text,
    unset: null,
    secret: true,
    takesEffect: 'live',
    section: 'Configuration',
    doc: 'The declarative configuration itself, as text. Not together with `declarative_config`.',
  },
  log_retention: {
    initial: '10000',
    parse: integer(1, 1_000_000_000),
    takesEffect: 'restart',
    section: 'Configuration',
    doc: 'Commits that the log of the configuration keeps, with a database: how far back `/revisions`, comparisons and restores go. Older ones are deleted a few at a time, with each commit. Nodes of one Postgres should agree; one that was away for longer than the log reaches back loads the whole configuration.',
  },
  router_flavor: {
    initial: 'traditional_compatible',
    parse: oneOf('traditional_compatible', 'expressions', 'traditional'),
    takesEffect: 'live',
    section: 'Configuration',
    doc: 'How routes are written and matched: traditional_compatible, expressions or traditional.',
  },

  ...POSTGRES_SETTINGS,

  nginx_http_client_header_buffer_size: sizedAtStart(
    '1k',
    size(128, 2 ** 20),
    'Buffer for a request head of usual size.',
    'client_header_buffer_size',
  ),
  nginx_http_large_client_header_buffers: sizedAtStart(
    '4 8k',
    buffers,
    'Number and size of the buffers for a larger head: no line may exceed one buffer (414 for the request line, 400 for a header), and the head not all of them (400).',
    'large_client_header_buffers',
  ),
  max_header_lines: {
    initial: '200',
    parse: integer(1, 10_000),
    takesEffect: 'restart',
    section: 'Client side',
    doc: "Sluice's own: how many header lines a request or a response may have.",
  },
  nginx_http_client_max_body_size: client(
    '0',
    size(0),
    'Largest request body, 413 beyond; 0 is unlimited.',
    'client_max_body_size',
  ),
  nginx_http_client_body_buffer_size: client(
    '8k',
    size(0, 2 ** 30),
    'How much of a request body memory holds: when it is set, `request_buffer_size` is at least this. No body goes to a temporary file here.',
    'client_body_buffer_size',
  ),
  nginx_admin_client_max_body_size: {
    initial: '10m',
    parse: size(0),
    takesEffect: 'live',
    section: 'Client side',
    doc: 'Largest request body on the Admin API, 413 beyond; 0 is unlimited.',
  },
  admin_transaction_max_body_size: {
    initial: '512m',
    parse: size(0),
    takesEffect: 'live',
    section: 'Client side',
    doc: "Sluice's own: largest body of `POST /transactions` as newline-delimited JSON, which is read line by line (no line may be larger than `nginx_admin_client_max_body_size`), 413 beyond; 0 is unlimited.",
  },
  nginx_http_keepalive_requests: client(
    '10000',
    integer(1),
    'Requests on one client connection before it is closed.',
    'keepalive_requests',
  ),
  nginx_http_keepalive_timeout: client(
    '75s',
    keepaliveTimeout,
    'How long an idle client connection stays open; 0 turns keep-alive off.',
    'keepalive_timeout',
  ),
  nginx_http_client_header_timeout: client(
    '60s',
    time,
    'Time for a client to send the whole head, 408 beyond.',
    'client_header_timeout',
  ),
  nginx_http_client_body_timeout: client(
    '60s',
    time,
    'Time between two reads of a request body, 408 beyond.',
    'client_body_timeout',
  ),
  nginx_http_send_timeout: client(
    '60s',
    time,
    'Time between two writes to a client; then the connection is closed.',
    'send_timeout',
  ),
  request_buffer_size: {
    initial: '1m',
    parse: size(0, 2 ** 30),
    takesEffect: 'live',
    section: 'Client side',
    doc: "Sluice's own: how much of a request body is held back, to send with Content-Length and to retry, on routes with `request_buffering`; a larger body is streamed from there.",
  },
  response_buffer_size: {
    initial: '256k',
    parse: size(4096, 2 ** 30),
    takesEffect: 'live',
    section: 'Client side',
    doc: "Sluice's own: how far a response is read ahead of a slow client on routes with `response_buffering`.",
  },
  plugin_timeout: {
    initial: '60000',
    parse: integer(1, 2 ** 31 - 1),
    takesEffect: 'live',
    section: 'Plugins',
    doc: "Sluice's own: milliseconds that a plugin may make a request wait in one phase; then the request is answered with 504, and the log names the plugin. Time in which the plugin waits for the request's body does not count.",
  },
  plugin_response_limit: {
    initial: '8m',
    parse: size(4096, 2 ** 30),
    takesEffect: 'live',
    section: 'Plugins',
    doc: "Sluice's own: how large a response may be on routes with a plugin that wants it whole (`response` phase); a larger one is answered with 502.",
  },

  headers: {
    initial: 'server_tokens, latency_tokens, X-Kong-Request-Id',
    parse: headerTokens(RESPONSE_TOKENS),
    takesEffect: 'live',
    section: 'Headers',
    doc: 'Headers that the gateway adds to responses: `server_tokens` (Via, Server), `latency_tokens`, single names of those, X-Kong-Upstream-Status, X-Kong-Request-Id, or `off`.',
  },
  headers_upstream: {
    initial: 'X-Kong-Request-Id',
    parse: headerTokens({ 'x-kong-request-id': ['x-kong-request-id'] }),
    takesEffect: 'live',
    section: 'Headers',
    doc: 'Headers that the gateway adds to requests: X-Kong-Request-Id, or `off`.',
  },
  server_name: {
    initial: 'sluice',
    parse: oneOf('sluice', 'kong'),
    takesEffect: 'live',
    section: 'Headers',
    doc: "Sluice's own: what Via and Server call the gateway, `sluice` or `kong` (with Kong's version).",
  },
  trusted_ips: {
    initial: null,
    parse: list(ipOrCidr),
    unset: [],
    takesEffect: 'live',
    section: 'Headers',
    doc: 'Addresses and CIDR blocks of proxies in front (`unix:` for all on unix sockets) whose X-Forwarded-* headers, `real_ip_header` and PROXY headers are believed.',
  },
  real_ip_header: {
    initial: 'X-Real-IP',
    parse: realIpHeader,
    takesEffect: 'live',
    aliases: ['nginx_proxy_real_ip_header'],
    section: 'Headers',
    doc: "Header that carries the client's address behind a trusted proxy, or `proxy_protocol`: the address of the PROXY header of the connection.",
  },
  real_ip_recursive: {
    initial: 'off',
    parse: boolean,
    takesEffect: 'live',
    aliases: ['nginx_proxy_real_ip_recursive'],
    section: 'Headers',
    doc: 'Whether to skip trusted addresses from the right of that header; off takes the rightmost one.',
  },
  nginx_http_charset: {
    initial: 'UTF-8',
    parse: charset,
    takesEffect: 'live',
    aliases: ['nginx_proxy_charset'],
    section: 'Headers',
    doc: 'Charset that is added to the Content-Type of text that an upstream sends without one, or `off`.',
  },
  allow_debug_header: {
    initial: 'off',
    parse: boolean,
    takesEffect: 'live',
    section: 'Headers',
    doc: 'Whether a request with `Kong-Debug: 1` is told its route and service.',
  },

  error_default_type: {
    initial: 'text/plain',
    parse: oneOf('application/json', 'application/xml', 'text/html', 'text/plain'),
    takesEffect: 'live',
    section: 'Errors',
    doc: 'Type of an error body when the request names none.',
  },
  error_template_html: template('HTML'),
  error_template_json: template('JSON'),
  error_template_xml: template('XML'),
  error_template_plain: template('plain text'),

  upstream_keepalive_pool_size: {
    initial: '512',
    parse: integer(0, 65_536),
    takesEffect: 'live',
    section: 'Upstream side',
    doc: 'Idle connections kept for each upstream address by each worker; 0 turns keep-alive off.',
  },
  upstream_keepalive_max_requests: {
    initial: '10000',
    parse: integer(0),
    takesEffect: 'live',
    section: 'Upstream side',
    doc: 'Requests on one upstream connection before it is closed; 0 is unlimited.',
  },
  upstream_keepalive_idle_timeout: {
    initial: '60',
    parse: seconds,
    takesEffect: 'live',
    section: 'Upstream side',
    doc: 'Seconds that an idle upstream connection is kept; 0 is unlimited.',
  },
  nginx_proxy_proxy_buffer_size: {
    initial: '32k',
    parse: size(1024, 2 ** 20),
    takesEffect: 'restart',
    aliases: ['nginx_http_proxy_buffer_size', 'nginx_location_proxy_buffer_size'],
    section: 'Upstream side',
    doc: "Largest head of an upstream's response, 502 beyond. nginx's default is 4k, which large cookies exceed.",
  },

  ...UPSTREAM_TLS_SETTINGS,

  dns_resolver: {
    initial: null,
    parse: list(nameServer),
    unset: [],
    takesEffect: 'restart',
    section: 'DNS',
    doc: 'Name servers, `10.0.0.2` or `10.0.0.2:53`; unset, those of /etc/resolv.conf.',
  },
  dns_hostsfile: dns('/etc/hosts', text, 'Hosts file, read before asking a name server.'),
  dns_order: dns(
    'LAST,SRV,A,CNAME',
    list((value) => oneOf('LAST', 'SRV', 'A', 'AAAA', 'CNAME')(value.toUpperCase())),
    'Record types in the order in which they are asked for; LAST is the type that worked the last time.',
  ),
  dns_valid_ttl: {
    initial: null,
    parse: seconds,
    unset: null,
    takesEffect: 'restart',
    section: 'DNS',
    doc: 'Seconds for which an answer is kept, in place of its own time to live.',
  },
  dns_stale_ttl: dns(
    '3600',
    seconds,
    'Seconds for which an expired answer still serves while it is refreshed.',
  ),
  dns_cache_size: dns('10000', integer(1, 10_000_000), 'Answers kept at most.'),
  dns_not_found_ttl: dns('30', seconds, 'Seconds for which "no such name" and empty answers are kept.'),
  dns_error_ttl: dns('1', seconds, 'Seconds for which any other error is kept.'),
  dns_refresh_ahead: dns(
    'on',
    boolean,
    "Names in use are asked for again before their time to live ends, and the configuration's names before a request " +
      'needs them.',
  ),
};

function log(initial: string, doc: string): SettingSpec<string> {
  return { initial, parse: logTarget, takesEffect: 'restart', section: 'General', doc };
}

/** An nginx directive that Kong injects at http level; the same at server and location level means the same here. */
function client<T>(initial: string, parse: ValueParser<T>, doc: string, directive: string): SettingSpec<T> {
  const aliases = [`nginx_proxy_${directive}`, `nginx_location_${directive}`];
  return { initial, parse, takesEffect: 'live', section: 'Client side', doc, aliases };
}

/** As `client`, for what the head parsers of a worker are built with. */
function sizedAtStart<T>(
  initial: string,
  parse: ValueParser<T>,
  doc: string,
  directive: string,
): SettingSpec<T> {
  return Object.assign(client(initial, parse, doc, directive), { takesEffect: 'restart' } as const);
}

function template(kind: string): SettingSpec<string | null> {
  return {
    initial: null,
    parse: (value) => readableFile(resolve(value)),
    unset: null,
    takesEffect: 'live',
    section: 'Errors',
    doc: `File with the ${kind} error body: two \`%s\`, the message and the request id.`,
  };
}

function dns<T>(initial: string, parse: ValueParser<T>, doc: string): SettingSpec<T> {
  return { initial, parse, takesEffect: 'restart', section: 'DNS', doc };
}
