/**
 * Reads the settings: overrides of the command line win over SLUICE_<NAME>, then KONG_<NAME>, then the file, then the
 * default. Everything that is wrong is collected and thrown at once, each problem with the place that it came from.
 */
import { existsSync, readFileSync } from '../lib/node-fs.ts';
import { suggest } from '../lib/suggest.ts';
import { VaultError, isVaultReference } from '../lib/vault/reference.ts';
import { VaultResolver } from '../lib/vault/resolver.ts';
import { parseConf } from './conf-file.ts';
import { defaultPrefix } from './default-prefix.ts';
import { readEnvironment } from './environment.ts';
import { judgeDatabase } from './judge-database.ts';
import { MEANINGLESS_KEYS, MEANINGLESS_PREFIXES, REFUSED_KEYS } from './kong-keys.ts';
import { formatListener } from './parse-listen.ts';
import { InvalidValue } from './parse-value.ts';
import type { Listener, Settings } from './settings.ts';
import { accessContradictions } from './table-access.ts';
import { tlsContradictions, tlsWarnings } from './table-tls.ts';
import { upstreamTlsContradictions } from './table-upstream-tls.ts';
import { SETTINGS, type SettingSpec } from './table.ts';

/** Searched in this order when no file is named; the last two are Kong's. */
export const CONFIG_FILES = [
  '/etc/sluice/sluice.conf',
  '/etc/sluice.conf',
  '/etc/kong/kong.conf',
  '/etc/kong.conf',
];

export interface LoadOptions {
  /** Without one, the first of CONFIG_FILES that exists, if any. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From the command line, by setting name. */
  readonly overrides?: Readonly<Partial<Record<string, string>>> | undefined;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** The text of each setting that was set, by its main name, before parsing (vault references unresolved). */
  readonly raw: Readonly<Record<string, RawSetting>>;
  /** One sentence each, with its place. */
  readonly warnings: readonly string[];
  /** The file that was read. */
  readonly file: string | null;
}

export interface RawSetting {
  readonly value: string;
  /** `FILE:LINE`, the environment variable's name, or `command line`. */
  readonly origin: string;
}

/** Lists every problem, one for each line of the message. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

const LISTENERS = ['proxy_listen', 'stream_listen', 'admin_listen', 'status_listen'] as const;

interface Findings {
  readonly problems: string[];
  readonly warnings: string[];
}

interface Assignment extends RawSetting {
  /** As written: perhaps an alias. */
  readonly name: string;
}

const MAIN_NAMES: ReadonlyMap<string, keyof Settings> = new Map(
  (Object.keys(SETTINGS) as (keyof Settings)[]).flatMap((name): [string, keyof Settings][] =>
    [name, ...(SETTINGS[name].aliases ?? [])].map((alias) => [alias, name]),
  ),
);

const KNOWN_NAMES: ReadonlySet<string> = new Set([
  ...MAIN_NAMES.keys(),
  ...MEANINGLESS_KEYS.keys(),
  ...REFUSED_KEYS.keys(),
]);

export function loadSettings(options: LoadOptions): LoadedSettings {
  const problems: string[] = [];
  const warnings: string[] = [];
  const file = options.file ?? CONFIG_FILES.find((path) => existsSync(path)) ?? null;
  // By name as written, the strongest source first.
  const assigned = new Map<string, Assignment>();
  const assign = (assignment: Assignment): void => {
    if (!assigned.has(assignment.name)) assigned.set(assignment.name, assignment);
  };
  for (const [name, value] of Object.entries(options.overrides ?? {})) {
    if (value === undefined) continue;
    if (!MAIN_NAMES.has(name)) problems.push(`command line: ${unknownName(name)}`);
    assign({ name, value: value.trim(), origin: 'command line' });
  }
  for (const { name, value, variable } of readEnvironment(options.env, isKnown)) {
    if (isKnown(name)) assign({ name, value, origin: variable });
    else warnings.push(`${variable}: ${unknownName(name)}; ignored`);
  }
  if (file !== null) readFile(file, assign, problems, warnings);

  const raw: Record<string, RawSetting> = {};
  const settings = parseAll(assigned, options.env, raw, { problems, warnings });
  judgeMeaningless(assigned, problems, warnings);
  const judged = judgeDatabase(raw, settings.database);
  problems.push(...judged.problems);
  warnings.push(...judged.warnings, ...tlsWarnings(raw, settings));
  if (problems.length === 0) problems.push(...contradictions(settings));
  if (problems.length > 0) throw new SettingsError(problems);
  return { settings, raw, warnings, file };
}

function isKnown(name: string): boolean {
  return KNOWN_NAMES.has(name) || MEANINGLESS_PREFIXES.some(([prefix]) => name.startsWith(prefix));
}

function unknownName(name: string): string {
  const near = suggest(name.toLowerCase(), KNOWN_NAMES);
  return `unknown setting '${name}'${near === undefined ? '' : `, did you mean '${near}'?`}`;
}

function readFile(
  file: string,
  assign: (assignment: Assignment) => void,
  problems: string[],
  warnings: string[],
): void {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    problems.push(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  const conf = parseConf(source);
  for (const { line, message } of conf.errors) problems.push(`${file}:${line}: ${message}`);
  for (const { line, message } of conf.warnings) warnings.push(`${file}:${line}: ${message}`);
  for (const { name, value, line } of conf.entries) {
    const origin = `${file}:${line}`;
    if (isKnown(name)) assign({ name, value, origin });
    else problems.push(`${origin}: ${unknownName(name)}`);
  }
}

/** Reads every setting of the table; what fails to parse is reported and holds its default meanwhile. */
function parseAll(
  assigned: ReadonlyMap<string, Assignment>,
  env: LoadOptions['env'],
  raw: Record<string, RawSetting>,
  { problems, warnings }: Findings,
): Settings {
  const values: Record<string, unknown> = {};
  const vaults = vaultsOf(assigned, env);
  for (const name of Object.keys(SETTINGS) as (keyof Settings)[]) {
    const spec: SettingSpec<unknown> = SETTINGS[name];
    const names = [...(spec.aliases ?? []), name];
    const found = names.map((alias) => assigned.get(alias)).find((assignment) => assignment !== undefined);
    values[name] = defaultOf(name, spec);
    if (found === undefined) continue;
    const isKey = spec.secret === true || name.endsWith('_key');
    let text = '';
    raw[name] = { value: found.value, origin: found.origin };
    try {
      text = isVaultReference(found.value) ? vaults.resolve(found.value) : found.value;
      if (text === '') continue;
      values[name] = spec.parse(text);
      const warning = spec.warn?.(values[name]) ?? null;
      if (warning !== null) warnings.push(`${found.origin}: ${found.name}: ${warning}`);
    } catch (error) {
      if (!(error instanceof InvalidValue || error instanceof VaultError)) throw error;
      const told = isKey && !(error instanceof VaultError) ? withoutKey(error.message, text) : error.message;
      problems.push(`${found.origin}: ${found.name}: ${told}`);
    }
  }
  // The table has exactly the keys of Settings, each with a parser for its type.
  const settings = values as unknown as Settings;
  return withDatabase(
    'nginx_http_client_body_buffer_size' in raw ? withBodyBuffer(settings) : settings,
    (raw['database']?.value ?? '') !== '',
  );
}

const PATHS = /^(?=.{0,40}$|\/|.*\.)[\w./~, -]*$/;

/** Messages repeat what was set, such as the path of a file; a key that was mistaken for one must not get into logs. */
function withoutKey(message: string, text: string): string {
  if (!message.includes("'") || PATHS.test(text)) return message;
  return 'it is neither PEM nor a file that can be read (not shown, as it may be a key)';
}

/** Who names a declarative file and no database wants the file and no database. */
function withDatabase(settings: Settings, said: boolean): Settings {
  const declared = settings.declarative_config !== null || settings.declarative_config_string !== null;
  return declared && !said ? { ...settings, database: 'off' } : settings;
}

/** The settings of the vaults are read first, as they stand: they cannot be references themselves. */
function vaultsOf(assigned: ReadonlyMap<string, Assignment>, env: LoadOptions['env']): VaultResolver {
  const value = (name: string): string | null => assigned.get(name)?.value || null;
  return new VaultResolver({ env, envPrefix: value('vault_env_prefix'), fileBase: value('vault_file_base') });
}

/** Who told nginx to hold bodies of this size in memory expects them to be held. */
function withBodyBuffer(settings: Settings): Settings {
  const { request_buffer_size, nginx_http_client_body_buffer_size } = settings;
  return {
    ...settings,
    request_buffer_size: Math.max(request_buffer_size, nginx_http_client_body_buffer_size),
  };
}

function defaultOf(name: keyof Settings, spec: SettingSpec<unknown>): unknown {
  if (name === 'prefix') return defaultPrefix();
  return spec.initial === null ? spec.unset : spec.parse(spec.initial);
}

/** Kong's settings without meaning here: a warning when one asks for something, an error for the dangerous. */
function judgeMeaningless(
  assigned: ReadonlyMap<string, Assignment>,
  problems: string[],
  warnings: string[],
): void {
  for (const { name, value, origin } of assigned.values()) {
    if (MAIN_NAMES.has(name) || value === '') continue;
    const refused = REFUSED_KEYS.get(name);
    const key = MEANINGLESS_KEYS.get(name);
    if (refused !== undefined) {
      if (!refused.accepted.includes(value)) {
        problems.push(
          `${origin}: ${name}: '${value}': ${refused.reason} (only ${refused.accepted.join(', ')})`,
        );
      }
    } else if (key === undefined) {
      const reason = MEANINGLESS_PREFIXES.find(([prefix]) => name.startsWith(prefix))?.[1];
      if (reason !== undefined) warnings.push(`${origin}: ${name} has no meaning here: ${reason}`);
    } else if (!key.silent.some((silent) => normalize(value) === normalize(silent))) {
      warnings.push(`${origin}: ${name} has no meaning here: ${key.reason}`);
    }
  }
}

/** So that `a,b` is `a, b` and `true` is `on` when compared with a default. */
function normalize(value: string): string {
  const spaced = value
    .split(',')
    .map((part) => part.trim().replaceAll(/\s+/g, ' '))
    .join(', ');
  return spaced === 'true' ? 'on' : spaced === 'false' ? 'off' : spaced;
}

function contradictions(settings: Settings): string[] {
  const problems: string[] = [];
  if (settings.declarative_config !== null && settings.declarative_config_string !== null) {
    problems.push('declarative_config and declarative_config_string are both set: one of them is enough');
  }
  problems.push(
    ...accessContradictions(settings),
    ...tlsContradictions(settings),
    ...upstreamTlsContradictions(settings),
  );
  problems.push(...strangersOnly(settings));
  const owners: Array<{ readonly name: string; readonly listener: Listener }> = [];
  for (const name of LISTENERS) {
    for (const listener of settings[name]) {
      const owner = owners.find((other) => collide(other.listener, listener));
      if (owner !== undefined && owner.name !== name)
        problems.push(`${name}: '${formatListener(listener)}' is taken by ${owner.name}`);
      owners.push({ name, listener });
    }
  }
  return problems;
}

/** Only trusted peers may send a PROXY header: without any, such a listener would refuse everybody. */
function strangersOnly(settings: Settings): string[] {
  if (settings.trusted_ips.length > 0) return [];
  return LISTENERS.flatMap((name) =>
    settings[name]
      .filter(({ proxyProtocol }) => proxyProtocol)
      .map(
        (listener) =>
          `${name}: '${formatListener(listener)}' has proxy_protocol, and trusted_ips names nobody whose PROXY header is believed`,
      ),
  );
}

function collide(a: Listener, b: Listener): boolean {
  if (a.path !== null || b.path !== null) return a.path === b.path;
  return a.port === b.port && a.port !== 0 && a.udp === b.udp && overlap(a.host, b.host);
}

/** Whoever listens on all addresses has each of them. IPv4 and IPv6 are counted as one, as `::` mostly has both. */
function overlap(a: string, b: string): boolean {
  return a === b || [a, b].some((host) => host === '0.0.0.0' || host === '::');
}
