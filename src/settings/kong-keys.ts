/**
 * Kong's settings without meaning here, with Kong's default and the reason, so that a Kong deployment's kong.conf and
 * environment are taken as they are: setting one of these is a warning, never an error, and not even that when it says
 * Kong's default or asks for what Sluice does anyway. The exceptions are the few whose silence would be dangerous
 * (`REFUSED`): they ask for a listener or a role.
 */

export interface MeaninglessKey {
  /** Values that are passed over: Kong's default (empty when it has none), and what is so here. */
  readonly silent: readonly string[];
  readonly reason: string;
}

const NOT_YET_TLS = 'TLS is not there yet';
const NO_NGINX = 'there is no nginx underneath';
const NO_LUA = 'there is no Lua inside';
const NO_DB_CACHE = 'all entities are kept in memory, without a cache of database rows';
const NOT_YET_HYBRID = 'hybrid mode is not there yet';
const NO_REPORTS = 'nothing is ever reported to anybody';
const NOT_YET_TRACING = 'tracing is not there yet';
const NOT_YET_GUI = 'the web console is not there yet';
const ONE_DNS_CLIENT = 'there is one DNS client, set by dns_*';
const NO_WASM = 'WebAssembly filters are not supported';
const NOT_YET_VAULTS = 'the only vaults are env and file';
const NOT_YET_PLUGIN_SERVERS = 'external plugin servers are not there yet';

/** `name = default` lines by reason; behind `|` the value that says what is so here. */
const GROUPS: readonly (readonly [reason: string, keys: string])[] = [
  [
    NOT_YET_TLS,
    `debug_ssl_cert =
debug_ssl_cert_key =`,
  ],
  [
    'it is about the connections of Lua code; for upstreams there is nginx_proxy_proxy_ssl_*',
    'lua_ssl_verify_depth = 1\nlua_ssl_protocols = TLSv1.2 TLSv1.3',
  ],
  ['sessions of TLS are resumed by tickets, which need no cache', 'ssl_session_cache_size = 10m'],
  [
    NOT_YET_GUI,
    `admin_gui_path = /
admin_gui_api_url =
admin_gui_csp_header = off
admin_gui_ssl_cert =
admin_gui_ssl_cert_key =
admin_gui_access_log = logs/admin_gui_access.log
admin_gui_error_log = logs/admin_gui_error.log`,
  ],
  [NO_REPORTS, 'anonymous_reports = on | off'],
  [
    NO_NGINX,
    `nginx_user = kong kong
nginx_daemon = on | off
nginx_main_user = kong kong
nginx_main_daemon = on | off
nginx_main_worker_rlimit_nofile = auto
nginx_events_worker_connections = auto
nginx_events_multi_accept = on
nginx_admin_client_body_buffer_size = 10m
nginx_http_lua_regex_match_limit = 100000
nginx_http_lua_regex_cache_max_entries = 8192
nginx_http_lua_regex_cache_size =
openresty_path =`,
  ],
  [
    NO_LUA,
    `lua_package_path = ./?.lua;./?/init.lua;
lua_package_cpath =
lua_socket_pool_size = 256
lua_max_req_headers = 100
lua_max_resp_headers = 100
lua_max_uri_args = 100
lua_max_post_args = 100
untrusted_lua = sandbox | off
untrusted_lua_sandbox_requires =
untrusted_lua_sandbox_environment =`,
  ],
  [
    NO_DB_CACHE,
    `db_update_frequency = 5
db_update_propagation = 0
db_cache_ttl = 0
db_cache_neg_ttl =
db_resurrect_ttl = 30
db_cache_warmup_entities = services
mem_cache_size = 128m
lmdb_environment_path = dbless.lmdb
lmdb_map_size = 2048m`,
  ],
  [
    'every worker serves a change before it is reported as done',
    `worker_consistency = eventual | strict
worker_state_update_frequency = 5
worker_events_max_payload = 65535
router_consistency = eventual | strict
dedicated_config_processing = on
privileged_worker = on`,
  ],
  [
    NOT_YET_HYBRID,
    `cluster_listen = 0.0.0.0:8005 | off
cluster_mtls = shared
cluster_cert =
cluster_cert_key =
cluster_ca_cert =
cluster_server_name =
cluster_control_plane = 127.0.0.1:8005
cluster_max_payload = 16777216
cluster_dp_labels =
cluster_data_plane_purge_delay = 1209600
cluster_ocsp = off
cluster_use_proxy = off
cluster_rpc = off
cluster_rpc_sync = off
cluster_incremental_sync = off
cluster_cjson = off
proxy_server =
proxy_server_ssl_verify = on`,
  ],
  [
    NOT_YET_TRACING,
    `tracing_instrumentations = off
tracing_sampling_rate = 0.01
opentelemetry_tracing = off
opentelemetry_tracing_sampling_rate = 0.01`,
  ],
  // On in Kong unless said otherwise; whoever says it expects it.
  ['X-Kong-Request-Debug is not there yet', 'request_debug = off\nrequest_debug_token ='],
  ['nothing here depends on who writes the configuration', 'kic = off'],
  [NOT_YET_VAULTS, 'vaults = bundled'],
  [NOT_YET_PLUGIN_SERVERS, 'pluginserver_names ='],
  [
    ONE_DNS_CLIENT,
    `dns_no_sync = off
new_dns_client = off
resolver_address =
resolver_hosts_file = /etc/hosts
resolver_family = A,SRV
resolver_valid_ttl =
resolver_error_ttl = 1
resolver_stale_ttl = 3600
resolver_lru_cache_size = 10000
resolver_mem_cache_size = 5m`,
  ],
  [NO_WASM, 'wasm = off\nwasm_filters_path =\nwasm_filters = bundled,user'],
];

export const MEANINGLESS_KEYS: ReadonlyMap<string, MeaninglessKey> = new Map(
  GROUPS.flatMap(([reason, keys]) =>
    keys.split('\n').map((line): [string, MeaninglessKey] => {
      const [name = '', values = ''] = line.split(/ = ?/, 2);
      return [name, { silent: values.split('|').map((value) => value.trim()), reason }];
    }),
  ),
);

/** Families of names that Kong takes by prefix. Longer prefixes first. */
export const MEANINGLESS_PREFIXES: readonly (readonly [prefix: string, reason: string])[] = [
  ['nginx_wasm_', NO_WASM],
  ...[
    'supstream',
    'sproxy',
    'stream',
    'main',
    'events',
    'http',
    'upstream',
    'proxy',
    'location',
    'status',
    'admin',
  ].map((block): readonly [string, string] => [
    `nginx_${block}_`,
    `${NO_NGINX}, and this directive has no counterpart`,
  ]),
  ['pluginserver_', NOT_YET_PLUGIN_SERVERS],
  ['vault_', NOT_YET_VAULTS],
];

export interface RefusedKey {
  /** The only values that are accepted; the first is the default. */
  readonly accepted: readonly string[];
  readonly reason: string;
}

export const REFUSED_KEYS: ReadonlyMap<string, RefusedKey> = new Map([
  ['role', { accepted: ['traditional'], reason: NOT_YET_HYBRID }],
]);
