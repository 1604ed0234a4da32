/**
 * Settings from the environment: `SLUICE_<NAME>`, and `KONG_<NAME>` as a fallback, names in upper case.
 *
 * Kubernetes puts the addresses of every service of the namespace into the environment of every pod, so a service named
 * `kong` or `sluice-admin` makes names that look like settings (`KONG_PORT=tcp://10.0.0.1:80`). They are not meant for
 * anybody and are passed over without a word.
 */

const ENVIRONMENT_PREFIXES = ['SLUICE_', 'KONG_'] as const;

/** Read by the launcher and the command line, or set by Kong's container images: no settings. */
const OTHER_NAMES = new Set(['SLUICE_NODE', 'SLUICE_NO_RESTART', 'KONG_VERSION', 'KONG_SHA256']);

const SERVICE_LINK =
  /^(?:KONG|SLUICE)(?:_[A-Z0-9_]+)?_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;
/** The one kind of service link whose name may also be a setting's: `KONG_PG_PORT` of a service named `kong-pg`. */
const SERVICE_LINK_VALUE = /^(?:tcp|udp|sctp):\/\//;

export interface EnvironmentEntry {
  /** The setting's name in lower case. */
  readonly name: string;
  readonly value: string;
  /** As in the environment. */
  readonly variable: string;
}

/** Candidates in order of precedence: all of SLUICE_, then all of KONG_. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  isKnown: (name: string) => boolean,
): EnvironmentEntry[] {
  const entries: EnvironmentEntry[] = [];
  for (const prefix of ENVIRONMENT_PREFIXES) {
    for (const [variable, value] of Object.entries(env)) {
      if (value === undefined || !variable.startsWith(prefix) || OTHER_NAMES.has(variable)) continue;
      const name = variable.slice(prefix.length).toLowerCase();
      const link = SERVICE_LINK.test(variable) && (!isKnown(name) || SERVICE_LINK_VALUE.test(value));
      if (!link) entries.push({ name, value: value.trim(), variable });
    }
  }
  return entries;
}
