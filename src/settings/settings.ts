import type { PostgresSettings } from './postgres-settings.ts';

/** One address of `proxy_listen`, `admin_listen` and the like (kong.conf's syntax: `host:port flag flag=value`). */
export interface Listener {
  /** '' for a unix socket. */
  readonly host: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** Absolute path of a unix socket (`unix:/path`), else null. */
  readonly path: string | null;
  /** Kernel's accept queue (`backlog=N`); 511 unless said. */
  readonly backlog: number;
  readonly reuseport: boolean;
  readonly ipv6only: boolean;
  readonly ssl: boolean;
  /** HTTP/2 beside HTTP/1.1, by ALPN. */
  readonly http2: boolean;
  /** Each connection begins with a PROXY header (`proxy_protocol`). */
  readonly proxyProtocol: boolean;
  /** Datagrams (`udp`); only of `stream_listen`. */
  readonly udp: boolean;
  /** TCP keep-alive of client connections (`so_keepalive`); null: as the system has it. */
  readonly keepAlive: KeepAlive | null;
}

/** nginx's `so_keepalive=on|off|[keepidle]:[keepintvl]:[keepcnt]`; null: the system's figure. */
export interface KeepAlive {
  readonly enable: boolean;
  /** Seconds. */
  readonly idle: number | null;
  readonly interval: number | null;
  readonly count: number | null;
}

export type LogLevel = 'debug' | 'info' | 'notice' | 'warn' | 'error' | 'crit' | 'alert' | 'emerg';

/** Who may use the Admin API, TLS of the main thread's listeners, and secrets. */
export interface AccessSettings {
  readonly admin_auth: 'on' | 'off' | null;
  /** Absolute paths; certificates and keys in pairs. */
  readonly admin_ssl_cert: readonly string[];
  readonly admin_ssl_cert_key: readonly string[];
  readonly admin_client_ca: readonly string[];
  readonly admin_client_verify: 'optional' | 'on';
  readonly status_ssl_cert: readonly string[];
  readonly status_ssl_cert_key: readonly string[];
  readonly admin_gui_url: readonly string[];
  readonly admin_gui_listen: readonly Listener[];
  /** Absolute path, or null. */
  readonly secret_key_file: string | null;
  readonly secret_keys: readonly string[];
  readonly vault_env_prefix: string | null;
  /** Absolute path, or null. */
  readonly vault_file_base: string | null;
}

/** TLS towards clients. */
export interface ClientTlsSettings {
  readonly ssl_cipher_suite: 'modern' | 'intermediate' | 'old' | 'fips' | 'custom';
  readonly ssl_protocols: readonly ('TLSv1.2' | 'TLSv1.3')[];
  /** OpenSSL's notation; '' when not set. */
  readonly ssl_ciphers: string;
  readonly ssl_prefer_server_ciphers: boolean;
  /** PEM, absolute path, or the name of a group. */
  readonly ssl_dhparam: string | null;
  readonly ssl_session_tickets: boolean;
  /** Milliseconds. */
  readonly ssl_session_timeout: number;
  /** PEM or absolute paths; certificates and keys in pairs. */
  readonly ssl_cert: readonly string[];
  readonly ssl_cert_key: readonly string[];
  /** Absolute path, or null. */
  readonly nginx_http_ssl_client_certificate: string | null;
  readonly nginx_http_ssl_verify_client: 'on' | 'off' | 'optional' | 'optional_no_ca';
  readonly nginx_http_ssl_verify_depth: number;
  /** Absolute path, or null. */
  readonly nginx_http_ssl_crl: string | null;
  readonly nginx_http_ssl_stapling: boolean;
}

/** HTTP/2 on `proxy_listen`. */
export interface Http2Settings {
  readonly nginx_http_http2_max_concurrent_streams: number;
  /** Bytes. */
  readonly nginx_http_http2_body_preread_size: number;
  /** Sluice's own: MiB of one connection. */
  readonly http2_session_memory: number;
  /** Sluice's own: streams that a client may take back, at once and a second. */
  readonly http2_reset_burst: number;
  readonly http2_reset_rate: number;
}

/** TLS towards upstreams. Certificates and keys are PEM texts. */
export interface UpstreamTlsSettings {
  readonly client_ssl: boolean;
  readonly client_ssl_cert: string | null;
  readonly client_ssl_cert_key: string | null;
  readonly nginx_proxy_proxy_ssl_verify: boolean;
  readonly nginx_proxy_proxy_ssl_verify_depth: number;
  readonly nginx_proxy_proxy_ssl_trusted_certificate: string | null;
  /** Without gaps, the oldest first. */
  readonly nginx_proxy_proxy_ssl_protocols: readonly ('TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3')[];
  /** OpenSSL's notation. */
  readonly nginx_proxy_proxy_ssl_ciphers: string;
  readonly nginx_proxy_proxy_ssl_session_reuse: boolean;
}

/** TCP, TLS and UDP. */
export interface StreamSettings {
  readonly stream_listen: readonly Listener[];
  readonly proxy_stream_access_log: string;
  readonly proxy_stream_error_log: string;
  /** Datagrams that a UDP client gets for each of its own, after which its session ends; null: as many as come. */
  readonly nginx_sproxy_proxy_responses: number | null;
  /** Sluice's own: UDP sessions of the node. */
  readonly stream_udp_sessions: number;
  /** Sluice's own: connections of `stream_listen` of the node. */
  readonly stream_connections: number;
}

/** Users' plugins. */
export interface PluginSettings {
  /** Absolute path, or null. */
  readonly plugins_dir: string | null;
  /** Milliseconds; 0: no limit. */
  readonly plugin_block_limit: number;
  /** MiB; null: Node's choice. */
  readonly worker_heap_limit: number | null;
}

/** Process settings, typed: kong.conf's names and units (reference §7); read from file, environment and defaults. */
export interface Settings
  extends
    PostgresSettings,
    AccessSettings,
    ClientTlsSettings,
    Http2Settings,
    UpstreamTlsSettings,
    StreamSettings,
    PluginSettings {
  readonly prefix: string;
  readonly log_level: LogLevel;
  /** UUID of this node; null: the one that the prefix keeps. */
  readonly node_id: string | null;
  /** Path (absolute, or below prefix), `/dev/stdout`, `/dev/stderr`, or `off`. */
  readonly proxy_access_log: string;
  readonly proxy_error_log: string;
  readonly admin_access_log: string;
  readonly admin_error_log: string;
  readonly status_access_log: string;
  readonly status_error_log: string;
  readonly proxy_listen: readonly Listener[];
  readonly admin_listen: readonly Listener[];
  readonly status_listen: readonly Listener[];
  /** Container port → public port (`port_maps = 80:8000` puts 80 into X-Forwarded-Port for listener port 8000). */
  readonly port_maps: Readonly<Record<number, number>>;
  /** `off`: a declarative file; `sqlite`: in the prefix; `postgres`: shared by several nodes. */
  readonly database: 'off' | 'sqlite' | 'postgres';
  /** Commits that the log keeps. */
  readonly log_retention: number;
  /** Absolute path, or null. */
  readonly declarative_config: string | null;
  readonly declarative_config_string: string | null;
  /** Kong's `plugins`: names, `bundled` for all that come with the gateway; empty when `off`. */
  readonly plugins: readonly string[];
  /** Octets. */
  readonly plugin_zone_size: number;
  readonly router_flavor: 'traditional_compatible' | 'expressions' | 'traditional';
  /** Resolved: `auto` is the number of cores. */
  readonly nginx_worker_processes: number;
  /** Bytes. */
  readonly nginx_http_client_header_buffer_size: number;
  readonly nginx_http_large_client_header_buffers: { readonly number: number; readonly size: number };
  /** Bytes; 0 is unlimited. */
  readonly nginx_http_client_max_body_size: number;
  readonly nginx_http_client_body_buffer_size: number;
  readonly nginx_admin_client_max_body_size: number;
  /** Sluice's own, bytes: `POST /transactions` as newline-delimited JSON; 0 is unlimited. */
  readonly admin_transaction_max_body_size: number;
  readonly nginx_http_keepalive_requests: number;
  /** Milliseconds (nginx's directives, injected as Kong injects them). */
  readonly nginx_http_keepalive_timeout: number;
  readonly nginx_http_client_header_timeout: number;
  readonly nginx_http_client_body_timeout: number;
  readonly nginx_http_send_timeout: number;
  /** Sluice's own: how many header lines a request or a response may have. */
  readonly max_header_lines: number;
  /** Sluice's own, bytes: largest response head (nginx's proxy_buffer_size). */
  readonly nginx_proxy_proxy_buffer_size: number;
  /** Sluice's own, bytes: how much of a request body is kept before streaming (`request_buffering`). */
  readonly request_buffer_size: number;
  /** Sluice's own, bytes: how far a response is read ahead of a slow client (`response_buffering`). */
  readonly response_buffer_size: number;
  /** Sluice's own, milliseconds: how long a filter of a plugin may take to settle. */
  readonly plugin_timeout: number;
  /** Sluice's own, bytes: largest response that is kept for a plugin with a `response` filter. */
  readonly plugin_response_limit: number;
  /** Kong's `headers` setting, expanded: lower-case names that the gateway adds to responses. */
  readonly headers: ReadonlySet<string>;
  readonly headers_upstream: ReadonlySet<string>;
  /** Sluice's own: what `Via` and `Server` call the gateway: `sluice` (default) or `kong`. */
  readonly server_name: 'sluice' | 'kong';
  /** IPs and CIDRs. */
  readonly trusted_ips: readonly string[];
  readonly real_ip_header: string;
  readonly real_ip_recursive: boolean;
  /** Charset for text without one (nginx's charset), null when off. */
  readonly nginx_http_charset: string | null;
  readonly allow_debug_header: boolean;
  readonly error_default_type: string;
  readonly error_template_html: string | null;
  readonly error_template_json: string | null;
  readonly error_template_xml: string | null;
  readonly error_template_plain: string | null;
  readonly upstream_keepalive_pool_size: number;
  readonly upstream_keepalive_max_requests: number;
  /** Seconds, as in Kong. */
  readonly upstream_keepalive_idle_timeout: number;
  readonly dns_resolver: readonly string[];
  readonly dns_hostsfile: string;
  readonly dns_order: readonly string[];
  /** Seconds. */
  readonly dns_valid_ttl: number | null;
  readonly dns_stale_ttl: number;
  readonly dns_cache_size: number;
  readonly dns_not_found_ttl: number;
  readonly dns_error_ttl: number;
  readonly dns_refresh_ahead: boolean;
}
