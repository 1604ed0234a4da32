/** The settings of who may use the Admin API, of TLS on the listeners of the main thread, and of secrets. */
import { isAbsolute, resolve } from 'node:path';
import { adminListeners } from './parse-listen.ts';
import { boolean, InvalidValue, list, oneOf, readableFile, text } from './parse-value.ts';
import type { AccessSettings, Listener } from './settings.ts';
import type { SettingSpec } from './table.ts';

type AccessTable = { readonly [K in keyof AccessSettings]: SettingSpec<AccessSettings[K]> };

const files = list((value) => readableFile(resolve(value)));

/** @param doc a sentence. */
function pemFiles(takesEffect: 'live' | 'restart', doc: string): SettingSpec<readonly string[]> {
  return { initial: null, parse: files, unset: [], takesEffect, section: 'Admin access', doc };
}

function guiUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return value;
  throw new InvalidValue(`'${value}' is not a URL such as https://console.example.com`);
}

/** Kong's default is passed over, as a Kong deployment may name it. */
function noConsoleYet(listeners: readonly Listener[]): string | null {
  const ports = listeners.map(({ port }) => port).join();
  if (ports === '' || ports === '8002,8445') return null;
  return 'the web console is not there yet: nothing listens, only requests of its origin are accepted';
}

function envPrefix(value: string): string {
  if (!/^[A-Za-z_-][A-Za-z0-9_-]*$/.test(value)) {
    throw new InvalidValue(`'${value}' is not the beginning of a variable's name`);
  }
  return value;
}

function folder(value: string): string {
  if (!isAbsolute(value)) throw new InvalidValue(`'${value}' must be an absolute path`);
  return resolve(value);
}

export const ACCESS_SETTINGS: AccessTable = {
  admin_auth: {
    initial: null,
    parse: (value) => (boolean(value) ? 'on' : 'off'),
    unset: null,
    takesEffect: 'live',
    section: 'Admin access',
    doc: "Sluice's own: `on` asks every request to the Admin API for a token (`sluice admin token create`) or a client certificate, `off` asks nobody. Unset, a listener on loopback asks nobody, as Kong's, and one on any other address answers 401 to everything.",
  },
  admin_ssl_cert: pemFiles(
    'live',
    'Certificates (PEM) of `admin_listen … ssl`, one for each kind of key. Unset, one that signs itself is made in `prefix/ssl`.',
  ),
  admin_ssl_cert_key: pemFiles('live', 'Keys of `admin_ssl_cert`, in the same order.'),
  admin_client_ca: pemFiles(
    'restart',
    "Sluice's own: authorities (PEM) whose client certificates the Admin API accepts in place of a token. What the files hold is read again on a reload.",
  ),
  admin_client_verify: {
    initial: 'optional',
    parse: oneOf('optional', 'on'),
    takesEffect: 'restart',
    section: 'Admin access',
    doc: "Sluice's own: with `on`, a TLS listener of the Admin API refuses clients without a certificate of `admin_client_ca`; with `optional` they need a token.",
  },
  status_ssl_cert: pemFiles('live', 'Certificates (PEM) of `status_listen … ssl`; as `admin_ssl_cert`.'),
  status_ssl_cert_key: pemFiles('live', 'Keys of `status_ssl_cert`, in the same order.'),
  admin_gui_url: {
    initial: null,
    parse: list(guiUrl),
    unset: [],
    takesEffect: 'live',
    section: 'Admin access',
    doc: 'Addresses of a web console, as browsers see them: requests of these origins are accepted. The console itself is not there yet.',
  },
  admin_gui_listen: {
    initial: null,
    parse: adminListeners,
    unset: [],
    warn: noConsoleYet,
    takesEffect: 'live',
    section: 'Admin access',
    doc: 'Listeners of a web console on this machine: requests of its origin (the name that the Admin API is asked by, with one of these ports) are accepted. The console itself is not there yet, and nothing listens.',
  },
  secret_key_file: {
    initial: null,
    parse: (value) => readableFile(resolve(value)),
    unset: null,
    takesEffect: 'restart',
    section: 'Secrets',
    doc: "Sluice's own: file of the keys that seal secrets at rest, one in a line (32 octets in base64 or hexadecimal). The first seals, all open. Not readable by everybody.",
  },
  secret_keys: {
    initial: null,
    parse: list(text),
    unset: [],
    secret: true,
    takesEffect: 'restart',
    section: 'Secrets',
    doc: "Sluice's own: these keys themselves, separated by commas, for the environment (`SLUICE_SECRET_KEYS`). Not together with `secret_key_file`.",
  },
  vault_env_prefix: {
    initial: null,
    parse: envPrefix,
    unset: null,
    takesEffect: 'restart',
    section: 'Secrets',
    doc: 'What stands before the names of `{vault://env/NAME}` in the environment.',
  },
  vault_file_base: {
    initial: null,
    parse: folder,
    unset: null,
    takesEffect: 'restart',
    section: 'Secrets',
    doc: "Sluice's own: folder of the files of `{vault://file/PATH}`; nothing outside it is read. Unset, there is no vault `file`.",
  },
};

/** What does not fit together, one sentence each. */
export function accessContradictions(
  settings: AccessSettings & { readonly admin_listen: readonly Listener[] },
): string[] {
  const problems: string[] = [];
  for (const side of ['admin', 'status'] as const) {
    if (settings[`${side}_ssl_cert`].length !== settings[`${side}_ssl_cert_key`].length) {
      problems.push(`${side}_ssl_cert and ${side}_ssl_cert_key must name as many files`);
    }
  }
  const authorities = settings.admin_client_ca.length > 0;
  if (authorities && !settings.admin_listen.some(({ ssl }) => ssl)) {
    problems.push('admin_client_ca needs a listener with ssl in admin_listen');
  }
  if (settings.admin_client_verify === 'on' && !authorities) {
    problems.push('admin_client_verify = on needs admin_client_ca');
  }
  if (settings.secret_key_file !== null && settings.secret_keys.length > 0) {
    problems.push('secret_key_file and secret_keys are both set: one of them is enough');
  }
  return problems;
}
