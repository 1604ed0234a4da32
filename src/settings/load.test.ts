import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { selfSigned } from '../lib/x509/self-signed.ts';
import { defaultPrefix } from './default-prefix.ts';
import { diffSettings } from './diff.ts';
import { MEANINGLESS_KEYS } from './kong-keys.ts';
import { loadSettings, SettingsError, type LoadedSettings } from './load.ts';
import { SETTINGS } from './table.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'));
after(() => rmSync(folder, { recursive: true }));

const CERTIFICATE = selfSigned({ names: ['a.test'], from: new Date(0), until: new Date(4e12) }).cert;

let files = 0;
function conf(text: string): string {
  const path = join(folder, `${++files}.conf`);
  writeFileSync(path, text);
  return path;
}

function load(
  text: string,
  env: Record<string, string> = {},
  overrides?: Record<string, string>,
): LoadedSettings {
  return loadSettings({ file: conf(text), env, overrides });
}

function problems(text: string, env: Record<string, string> = {}): readonly string[] {
  try {
    load(text, env);
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    return error.problems.map((problem) => problem.replace(`${folder}/${files}.conf`, 'FILE'));
  }
  return [];
}

test("defaults are Kong's, and every default parses", () => {
  const { settings, warnings, raw } = load('');
  assert.deepEqual(warnings, []);
  assert.deepEqual(raw, {});
  const plain = {
    host: '0.0.0.0',
    port: 8000,
    backlog: 16384,
    reuseport: true,
    ipv6only: true,
    ssl: false,
    http2: false,
    path: null,
    proxyProtocol: false,
    udp: false,
    keepAlive: null,
  };
  assert.deepEqual(settings.proxy_listen, [plain, { ...plain, port: 8443, ssl: true, http2: true }]);
  assert.equal(settings.admin_listen[0]?.host, '127.0.0.1');
  assert.equal(settings.status_listen[0]?.port, 8007);
  assert.equal(settings.database, 'sqlite');
  assert.equal(settings.log_level, 'notice');
  assert.equal(settings.nginx_http_client_header_buffer_size, 1024);
  assert.deepEqual(settings.nginx_http_large_client_header_buffers, { number: 4, size: 8192 });
  assert.equal(settings.nginx_http_keepalive_timeout, 75_000);
  assert.equal(settings.upstream_keepalive_idle_timeout, 60);
  assert.deepEqual([...settings.headers].toSorted(), [
    'server',
    'via',
    'x-kong-admin-latency',
    'x-kong-proxy-latency',
    'x-kong-request-id',
    'x-kong-response-latency',
    'x-kong-upstream-latency',
  ]);
  assert.equal(settings.declarative_config, null);
  assert.equal(settings.dns_valid_ttl, null);
});

/** Each row: the value that wins in `log_level`. */
const PRECEDENCE: readonly (readonly [
  title: string,
  file: string,
  env: Record<string, string>,
  override: string | undefined,
  level: string,
  origin: RegExp,
])[] = [
  ['file', 'log_level = info', {}, undefined, 'info', /:1$/],
  [
    "Kong's environment over the file",
    'log_level = info',
    { KONG_LOG_LEVEL: 'warn' },
    undefined,
    'warn',
    /^KONG_LOG_LEVEL$/,
  ],
  [
    "ours over Kong's",
    'log_level = info',
    { KONG_LOG_LEVEL: 'warn', SLUICE_LOG_LEVEL: 'crit' },
    undefined,
    'crit',
    /^SLUICE_LOG_LEVEL$/,
  ],
  [
    'the command line over all',
    'log_level = info',
    { SLUICE_LOG_LEVEL: 'crit' },
    'debug',
    'debug',
    /^command line$/,
  ],
  [
    'an empty value stands for the default',
    'log_level = info',
    { SLUICE_LOG_LEVEL: '' },
    undefined,
    'notice',
    /^SLUICE_LOG_LEVEL$/,
  ],
];

for (const [title, file, env, override, level, origin] of PRECEDENCE) {
  test(`precedence: ${title}`, () => {
    const { settings, raw } = load(file, env, override === undefined ? {} : { log_level: override });
    assert.equal(settings.log_level, level);
    assert.match(raw['log_level']?.origin ?? '', origin);
  });
}

const ALIASES: readonly (readonly [
  alias: string,
  name: keyof typeof SETTINGS,
  value: string,
  other: string,
  expected: unknown,
])[] = [
  ['nginx_main_worker_processes', 'nginx_worker_processes', '3', '5', 3],
  ['nginx_proxy_real_ip_header', 'real_ip_header', 'X-A', 'X-B', 'X-A'],
  ['nginx_proxy_client_max_body_size', 'nginx_http_client_max_body_size', '1m', '2m', 1024 * 1024],
  ['nginx_http_proxy_buffer_size', 'nginx_proxy_proxy_buffer_size', '8k', '16k', 8192],
];

for (const [alias, name, value, other, expected] of ALIASES) {
  test(`alias: ${alias} wins over ${name}`, () => {
    assert.equal(load(`${alias} = ${value}`).settings[name], expected);
    assert.equal(load(`${alias} = ${value}\n${name} = ${other}`).settings[name], expected);
  });
}

const WARNINGS: readonly (readonly [
  title: string,
  file: string,
  env: Record<string, string>,
  expected: readonly RegExp[],
])[] = [
  [
    'unknown name in our environment',
    '',
    { SLUICE_LOG_LEVLE: 'x' },
    [/^SLUICE_LOG_LEVLE: unknown setting 'log_levle', did you mean 'log_level'\?; ignored$/],
  ],
  ["unknown name in Kong's", '', { KONG_QQ: 'x' }, [/^KONG_QQ: unknown setting 'qq'; ignored$/]],
  ['names of other programs', '', { PATH: '/bin', KONGO_X: '1', sluice_x: '1' }, []],
  ['names of the launcher', '', { SLUICE_NODE: '/n', SLUICE_NO_RESTART: '1' }, []],
  [
    'service links',
    '',
    {
      KONG_PORT: 'tcp://10.0.0.1:80',
      KONG_PORT_8000_TCP: 'tcp://10.0.0.1:8000',
      KONG_PORT_8000_TCP_ADDR: '10.0.0.1',
      KONG_PORT_8000_TCP_PORT: '8000',
      KONG_PORT_8000_TCP_PROTO: 'tcp',
      KONG_SERVICE_HOST: '10.0.0.1',
      KONG_SERVICE_PORT: '80',
      KONG_SERVICE_PORT_KONG_PROXY_TLS: '443',
      KONG_ADMIN_SERVICE_PORT: '80',
      KONG_ADMIN_PORT_8444_TCP_ADDR: '10.0.0.1',
      SLUICE_PORT_8000_TCP: 'tcp://10.0.0.1:8000',
      SLUICE_STATUS_SERVICE_HOST: '10.0.0.1',
      KONG_PG_PORT: 'tcp://10.0.0.1:5432',
    },
    [],
  ],
  [
    'a setting that looks like a service link',
    '',
    { KONG_PG_PORT: '5433', KONG_DATABASE: 'off' },
    [/^KONG_PG_PORT: pg_port has no effect with database = off$/],
  ],
  [
    "Kong's key at Kong's default",
    'database = off\npg_port = 5432\nanonymous_reports = true\nnginx_user=kong  kong\ncluster_listen = 0.0.0.0:8005',
    {},
    [],
  ],
  [
    "Kong's key at another value",
    'lua_socket_pool_size = 512',
    {},
    [/:1: lua_socket_pool_size has no meaning here: there is no Lua inside/],
  ],
  [
    "Kong's default that is not there, asked for by name",
    'request_debug = on',
    {},
    [/:1: request_debug has no meaning here: X-Kong-Request-Debug is not there yet/],
  ],
  [
    "Kong's key that asks for what is so anyway, as Kong's images and charts do",
    'nginx_daemon = off\nanonymous_reports = off\nadmin_gui_listen = off\ncluster_listen = off\nrequest_debug = false',
    {},
    [],
  ],
  ["Kong's key emptied", 'ssl_cert =\npg_password =', {}, []],
  [
    'Postgres that is named and not used',
    'database = sqlite\npg_host = db.example\npg_ssl = off',
    {},
    [/:2: pg_host has no effect with database = sqlite$/],
  ],
  ['Postgres that is used', 'database = postgres\npg_host = db.example', {}, []],
  [
    "names of Kong 3.9's own file and parser that nobody would guess, at its defaults",
    `opentelemetry_tracing = off
opentelemetry_tracing_sampling_rate = 0.01
debug_ssl_cert =
debug_ssl_cert_key =
kic = off
privileged_worker = on
router_consistency = eventual
worker_events_max_payload = 65535
cluster_incremental_sync = off
cluster_cjson = off`,
    {},
    [],
  ],
  ["what Kong's ingress controller sets", '', { KONG_KIC: 'on' }, [/^KONG_KIC: kic has no meaning here: /]],
  [
    'injected directive',
    'nginx_http_gzip = on\nnginx_stream_x = 1\nnginx_events_use = poll',
    {},
    [
      /:1: nginx_http_gzip has no meaning here/,
      /:2: nginx_stream_x has no meaning here/,
      /:3: nginx_events_use/,
    ],
  ],
  [
    'plugin servers and vaults',
    'pluginserver_go_socket = /s\nvault_aws_region = x',
    {},
    [/external plugin servers/, /the only vaults are env and file/],
  ],
  ['plugins as by default', 'plugins = bundled', {}, []],
  ['a name twice', 'log_level = info\nlog_level = warn', {}, [/:2: log_level was already set in line 1/]],
];

for (const [title, file, env, expected] of WARNINGS) {
  test(`warnings: ${title}`, () => {
    const { warnings } = load(file, env);
    assert.equal(warnings.length, expected.length, warnings.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(warnings[i] ?? '', pattern);
  });
}

const ERRORS: readonly (readonly [
  title: string,
  file: string,
  env: Record<string, string>,
  expected: readonly RegExp[],
])[] = [
  [
    'unknown key',
    'proxy_lisen = off',
    {},
    [/^FILE:1: unknown setting 'proxy_lisen', did you mean 'proxy_listen'\?$/],
  ],
  ['hyphens', 'proxy-listen = off', {}, [/did you mean 'proxy_listen'/]],
  [
    'all in one go',
    'x_y_z = 1\nlog_level = loud\n\nnonsense\nadmin_listen = 1',
    { KONG_DATABASE: 'cassandra', SLUICE_NGINX_WORKER_PROCESSES: 'many' },
    [
      /^FILE:4: expected 'name = value'/,
      /^FILE:1: unknown setting 'x_y_z'$/,
      /^FILE:2: log_level: 'loud' is not one of/,
      /^SLUICE_NGINX_WORKER_PROCESSES: nginx_worker_processes: 'many'/,
      /^FILE:5: admin_listen: '1' is not an address/,
      /^KONG_DATABASE: database: 'cassandra' is not one of: off, sqlite, postgres$/,
    ],
  ],
  [
    'an alias is named as written',
    'nginx_proxy_client_max_body_size = x',
    {},
    [/^FILE:1: nginx_proxy_client_max_body_size: 'x' is not a size/],
  ],
  [
    'roles',
    'role = data_plane',
    {},
    [/^FILE:1: role: 'data_plane': hybrid mode is not there yet \(only traditional\)$/],
  ],
  [
    'HTTP/2 of a stream listener',
    '',
    { KONG_STREAM_LISTEN: '0.0.0.0:9000 ssl http2' },
    [/^KONG_STREAM_LISTEN: stream_listen: unknown flag 'http2'/],
  ],
  [
    'Postgres that is named, and no database',
    'pg_host = 127.0.0.1',
    { KONG_PG_PASSWORD: 'secret' },
    [
      /^FILE:1: pg_host, pg_password are set, but database is not, .* add 'database = postgres' .* or remove them$/,
    ],
  ],
  ['a schema that needs quotes', 'database = postgres\npg_schema = My"Schema', {}, [/no name for a schema/]],
  [
    'a certificate authority that is not there',
    'lua_ssl_trusted_certificate = system, /nonexistent.pem',
    {},
    [/^FILE:1: lua_ssl_trusted_certificate: cannot read '\/nonexistent.pem'/],
  ],
  ['headers', 'headers = server_tokens, X-Foo', {}, [/'x-foo' is not one of/]],
  ['headers off beside others', 'headers = off, via', {}, [/'off' cannot stand beside/]],
  [
    'an address that another listener has among all',
    'proxy_listen = 0.0.0.0:8000\nadmin_listen = 127.0.0.1:8000',
    {},
    [/admin_listen: '127\.0\.0\.1:8000' is taken by proxy_listen/],
  ],
  ['both configurations', 'declarative_config = a\ndeclarative_config_string = {}', {}, [/both set/]],
  [
    'one address twice',
    'proxy_listen = 127.0.0.1:8001',
    {},
    [/^admin_listen: '127.0.0.1:8001' is taken by proxy_listen$/],
  ],
  [
    'a PROXY header that nobody may send',
    'proxy_listen = 127.0.0.1:1 proxy_protocol',
    {},
    [/^proxy_listen: '127\.0\.0\.1:1' has proxy_protocol, and trusted_ips names nobody/],
  ],
  ['keepalive_timeout with a header', 'nginx_http_keepalive_timeout = 75s 60s', {}, [/only one time/]],
  ['old TLS', 'ssl_protocols = TLSv1.1 TLSv1.2', {}, [/'TLSv1.1' is not safe any more/]],
  [
    'a client certificate that is on and not there',
    'client_ssl = on',
    {},
    [/client_ssl needs client_ssl_cert/],
  ],
  [
    'a certificate that is none',
    'client_ssl_cert = /etc/hosts',
    {},
    [/there is no certificate \(PEM\) in it/],
  ],
  ['a key that is none', 'client_ssl_cert_key = /etc/hosts', {}, [/there is no private key/]],
  [
    'authorities of upstreams that are not there',
    'nginx_http_proxy_ssl_trusted_certificate = /nonexistent.pem',
    {},
    [/^FILE:1: nginx_http_proxy_ssl_trusted_certificate: cannot read/],
  ],
  [
    'an authority of upstreams that cannot be read, behind one that can',
    'nginx_proxy_proxy_ssl_trusted_certificate = {vault://env/two}',
    { TWO: `${CERTIFICATE}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n` },
    [/there is no certificate \(PEM\) in it/],
  ],
  ['a gap between versions', 'nginx_proxy_proxy_ssl_protocols = TLSv1 TLSv1.2', {}, [/leaves out a version/]],
  [
    'a version of upstreams that is none',
    'nginx_proxy_proxy_ssl_protocols = SSLv3',
    {},
    [/'SSLv3' is not one of/],
  ],
  ['HTTP/2 without TLS', 'admin_listen = 127.0.0.1:1 http2', {}, [/needs ssl beside it/]],
  ['datagrams of the proxy', 'proxy_listen = 127.0.0.1:1 udp', {}, [/unknown flag 'udp'/]],
  ['a certificate without its key', 'admin_ssl_cert = /etc/hosts', {}, [/must name as many files/]],
  ['an authority without TLS', 'admin_client_ca = /etc/hosts', {}, [/needs a listener with ssl/]],
  ['verification without authority', 'admin_client_verify = on', {}, [/needs admin_client_ca/]],
  ['keys twice', 'secret_keys = a\nsecret_key_file = /etc/hosts', {}, [/both set/]],
  ['a console that is no URL', 'admin_gui_url = localhost:8002', {}, [/is not a URL/]],
  ['a console of another scheme', 'admin_gui_url = javascript:alert(1)', {}, [/is not a URL/]],
  ['access that is neither', 'admin_auth = maybe', {}, [/'maybe' is not one of/]],
  ['a relative vault', 'vault_file_base = secrets', {}, [/must be an absolute path/]],
  ['vault of another kind', 'server_name = {vault://aws/x}', {}, [/there is no vault 'aws'/]],
  ['vault without the variable', 'server_name = {vault://env/nope}', {}, [/the environment has no NOPE/]],
  [
    'vault that is not JSON',
    'server_name = {vault://env/blob/key}',
    { BLOB: 'secret' },
    [/BLOB is not JSON$/],
  ],
];

for (const [title, file, env, expected] of ERRORS) {
  test(`errors: ${title}`, () => {
    const found = problems(file, env);
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(found[i] ?? '', pattern);
  });
}

test('errors: a file that is not there', () => {
  assert.throws(
    () => loadSettings({ file: '/nonexistent.conf', env: {} }),
    /cannot read \/nonexistent\.conf/,
  );
});

test('vault references', () => {
  const env = { MY_LEVEL: 'crit', BLOB: '{"a":"info","n":3}', KONG_LOG_LEVEL: '{vault://env/my-level}' };
  const { settings, raw } = load('nginx_worker_processes = {vault://env/blob/n}', env);
  assert.equal(settings.log_level, 'crit');
  assert.equal(settings.nginx_worker_processes, 3);
  assert.equal(raw['log_level']?.value, '{vault://env/my-level}');
});

test("Postgres: Kong's defaults, and what a replica takes over", () => {
  const { settings } = load(
    'database = postgres\npg_ro_host = replica.example\npg_ssl = on\npg_ro_ssl = off',
  );
  assert.equal(settings.pg_host, '127.0.0.1');
  assert.equal(settings.pg_user, 'kong');
  assert.equal(settings.pg_schema, 'sluice');
  assert.equal(settings.pg_timeout, 5000);
  assert.equal(settings.pg_ssl, true);
  assert.equal(settings.pg_ro_ssl, false);
  assert.equal(settings.pg_ro_port, null);
  assert.equal(settings.pg_backlog, null);
  assert.deepEqual(settings.lua_ssl_trusted_certificate, ['system']);
});

test('vaults have a prefix in the environment and a folder of files', () => {
  writeFileSync(join(folder, 'level'), 'crit\n');
  const file = `vault_env_prefix = app_\nvault_file_base = ${folder}\n`;
  const env = { APP_NAME: 'kong' };
  const { settings } = load(`${file}log_level = {vault://file/level}\nserver_name = {vault://env/name}`, env);
  assert.deepEqual([settings.log_level, settings.server_name], ['crit', 'kong']);
});

test("nginx's body buffer raises ours, and never lowers it", () => {
  const size = (text: string): number => load(text).settings.request_buffer_size;
  assert.equal(size(''), 2 ** 20);
  assert.equal(size('nginx_http_client_body_buffer_size = 16k'), 2 ** 20);
  assert.equal(size('nginx_proxy_client_body_buffer_size = 8m'), 8 * 2 ** 20);
  assert.equal(size('request_buffer_size = 0'), 0);
  assert.equal(size('request_buffer_size = 0\nnginx_http_client_body_buffer_size = 16k'), 16 * 1024);
});

test('an invalid secret from a vault shows its setting', () => {
  assert.match(problems('log_level = {vault://env/lvl}', { LVL: 'loud' })[0] ?? '', /^FILE:1: log_level: /);
});

test('a key that was given in a form that is none is not told', () => {
  const der = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
  const forms = [der.toString('base64'), der.toString('base64url'), `a.\n${der.toString('base64')}`];
  for (const name of ['ssl_cert_key', 'client_ssl_cert_key', 'admin_ssl_cert_key']) {
    for (const KEY of forms) {
      const said = problems(`${name} = {vault://env/key}`, { KEY }).join();
      assert.match(said, new RegExp(`^FILE:1: ${name}: `));
      assert.doesNotMatch(said, /MC4|[\w+]{20}/);
    }
    assert.match(problems(`${name} = /nowhere/a.key`, {}).join(), /cannot read '\/nowhere\/a\.key'/);
    assert.match(problems(`${name} = certs/a.key`, {}).join(), /cannot read '.*\/certs\/a\.key'/);
  }
});

test('the prefix of whoever starts it', () => {
  const probe = { isRoot: false, isWritable: () => false, home: '/home/ann' };
  assert.equal(defaultPrefix(probe), '/home/ann/.sluice');
  assert.equal(defaultPrefix({ ...probe, isWritable: () => true }), '/usr/local/sluice');
  assert.equal(defaultPrefix({ ...probe, isRoot: true }), '/usr/local/sluice');
});

test('diff: names of what changed, by when it takes effect', () => {
  const old = load('').settings;
  assert.deepEqual(diffSettings(old, load('').settings), { live: [], restart: [] });
  const next = load(
    'log_level = debug\nheaders = off\nproxy_listen = 127.0.0.1:9000\nnginx_worker_processes = 7',
  ).settings;
  assert.deepEqual(diffSettings(old, next), {
    live: ['log_level', 'headers'],
    restart: ['nginx_worker_processes', 'proxy_listen'],
  });
});

test('no name is both a setting and a key without meaning', () => {
  const names = new Set<string>();
  for (const [name, { aliases }] of Object.entries(SETTINGS)) {
    for (const each of [name, ...(aliases ?? [])]) names.add(each);
  }
  for (const name of MEANINGLESS_KEYS.keys()) {
    assert.ok(!names.has(name), name);
    assert.match(name, /^[a-z][a-z0-9_]*$/);
  }
});
