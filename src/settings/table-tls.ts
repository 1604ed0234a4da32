/** The settings of TLS towards clients: `proxy_listen … ssl` and, where they say so, the listeners of the main thread. */
import { resolve } from 'node:path';
import type { ValueParser } from './parse-value.ts';
import { boolean, integer, InvalidValue, list, oneOf, readableFile, text, time } from './parse-value.ts';
import type { ClientTlsSettings, Listener } from './settings.ts';
import type { SettingSpec } from './table.ts';

type TlsTable = { readonly [K in keyof ClientTlsSettings]: SettingSpec<ClientTlsSettings[K]> };
type Spec<K extends keyof ClientTlsSettings> = SettingSpec<ClientTlsSettings[K]>;

/** Kong's names of well-known groups (RFC 7919 and nginx's). */
const DH_GROUP = /^(?:ffdhe(?:2048|3072|4096|6144|8192)|modp_(?:2048|3072|4096|6144|8192))$/;

/** Kong's three ways to name PEM: a file, the text itself, or the text in base64. Files stay paths: a reload reads them. */
const pem: ValueParser<string> = (value) => {
  if (value.includes('-----BEGIN ')) return `${value.replaceAll('\\n', '\n')}\n`;
  if (/^[A-Za-z0-9+/\s]{64,}={0,2}$/.test(value)) {
    const decoded = Buffer.from(value, 'base64').toString('latin1');
    if (decoded.includes('-----BEGIN ')) return `${decoded}\n`;
  }
  return readableFile(resolve(value));
};

const file: ValueParser<string> = (value) => readableFile(resolve(value));

function protocols(value: string): readonly ('TLSv1.2' | 'TLSv1.3')[] {
  const names = value.split(/[\s,]+/);
  const old = names.find((name) => /^(?:SSLv[23]|TLSv1(?:\.1)?)$/.test(name));
  if (old !== undefined) throw new InvalidValue(`'${old}' is not safe any more: only TLSv1.2 and TLSv1.3`);
  return names.map(oneOf('TLSv1.2', 'TLSv1.3'));
}

function dhparam(value: string): string {
  return DH_GROUP.test(value) ? value : pem(value);
}

/** A ticket lives as long as its key: seconds to days. */
function sessionTimeout(value: string): number {
  const ms = time(value);
  if (ms < 1000) throw new InvalidValue(`'${value}' is shorter than a second`);
  return ms;
}

/** nginx's directive as Kong injects it at the http level, and at that of its proxy server. */
function directive<K extends keyof ClientTlsSettings>(
  name: string,
  spec: Pick<Spec<K>, 'initial' | 'parse' | 'doc'> & { readonly unset?: ClientTlsSettings[K] },
): Spec<K> {
  return { ...spec, takesEffect: 'live', section: 'TLS', aliases: [`nginx_proxy_${name}`] };
}

const ONLY_CUSTOM = 'Only with `ssl_cipher_suite = custom`.';

export const CLIENT_TLS_SETTINGS: TlsTable = {
  ssl_cipher_suite: {
    initial: 'intermediate',
    parse: oneOf('modern', 'intermediate', 'old', 'fips', 'custom'),
    warn: (suite) =>
      suite === 'old' ? 'TLS 1.0 and 1.1 are not safe any more; proxy listeners offer them now' : null,
    takesEffect: 'live',
    section: 'TLS',
    doc: "TLS versions and cipher suites of all listeners: Mozilla's `modern` (TLS 1.3 alone), `intermediate`, `old` (TLS 1.0 and 1.1 too, on proxy listeners), `fips` (TLS 1.2 and the suites that FIPS 140 allows; the library itself is Node's), or `custom`, which leaves them to the settings below.",
  },
  ssl_protocols: {
    initial: 'TLSv1.2 TLSv1.3',
    parse: protocols,
    takesEffect: 'live',
    section: 'TLS',
    doc: `TLS versions that clients may use; older ones are refused. ${ONLY_CUSTOM}`,
  },
  ssl_ciphers: {
    initial: null,
    parse: text,
    unset: '',
    takesEffect: 'live',
    section: 'TLS',
    doc: `Cipher suites in the notation of OpenSSL, those of TLS 1.3 among them; unset, as \`intermediate\`. ${ONLY_CUSTOM}`,
  },
  ssl_prefer_server_ciphers: {
    initial: 'on',
    parse: boolean,
    takesEffect: 'live',
    section: 'TLS',
    doc: `Whether the gateway's order of suites counts, or the client's. ${ONLY_CUSTOM}`,
  },
  ssl_dhparam: {
    initial: null,
    parse: dhparam,
    unset: null,
    takesEffect: 'live',
    section: 'TLS',
    doc: `Parameters of the finite-field suites (DHE): a PEM file, its text, or the name of a group such as \`ffdhe2048\`, for which OpenSSL takes the one that is as strong as the certificate. ${ONLY_CUSTOM}`,
  },
  ssl_session_tickets: {
    initial: 'on',
    parse: boolean,
    takesEffect: 'live',
    section: 'TLS',
    doc: 'Whether clients resume sessions with tickets, on whichever worker they come to. Without tickets nothing is resumed.',
  },
  ssl_session_timeout: {
    initial: '1d',
    parse: sessionTimeout,
    takesEffect: 'live',
    section: 'TLS',
    doc: 'How long a ticket may be used. The keys of tickets are replaced as often; the one before opens its tickets for one more period.',
  },
  ssl_cert: {
    initial: null,
    parse: list(pem),
    unset: [],
    takesEffect: 'live',
    section: 'TLS',
    doc: 'Certificates of `proxy_listen … ssl` for server names without one of their own, each with its chain: PEM files, their text, or that in base64; one for each kind of key (RSA, ECDSA). Files are read again on a reload. Unset, one that signs itself is made in `prefix/ssl`.',
  },
  ssl_cert_key: {
    initial: null,
    parse: list(pem),
    unset: [],
    secret: true,
    takesEffect: 'live',
    section: 'TLS',
    doc: 'Keys of `ssl_cert`, in the same order.',
  },
  nginx_http_ssl_client_certificate: directive<'nginx_http_ssl_client_certificate'>(
    'ssl_client_certificate',
    {
      initial: null,
      parse: file,
      unset: null,
      doc: 'Authorities (PEM file) whose client certificates are accepted, and that clients are told of.',
    },
  ),
  nginx_http_ssl_verify_client: directive<'nginx_http_ssl_verify_client'>('ssl_verify_client', {
    initial: 'off',
    parse: oneOf('on', 'off', 'optional', 'optional_no_ca'),
    doc: 'Whether clients are asked for a certificate: `on` answers 400 to those without one that verifies, `optional` to those whose certificate does not, `optional_no_ca` leaves unknown authorities to whoever reads the result. Such connections are never resumed: each handshake is judged.',
  }),
  nginx_http_ssl_verify_depth: directive<'nginx_http_ssl_verify_depth'>('ssl_verify_depth', {
    initial: '1',
    parse: integer(0, 100),
    doc: 'Certificates that may stand between a client certificate and the authority that signed itself.',
  }),
  nginx_http_ssl_crl: directive<'nginx_http_ssl_crl'>('ssl_crl', {
    initial: null,
    parse: file,
    unset: null,
    doc: 'Revoked client certificates (PEM file with a list of each authority of the chain); read again on a reload.',
  }),
  nginx_http_ssl_stapling: directive<'nginx_http_ssl_stapling'>('ssl_stapling', {
    initial: 'off',
    parse: boolean,
    doc: 'Whether the state of a certificate is fetched from the OCSP responder that it names, and sent to clients that ask (stapling). Certificates that demand it (must-staple) have it in any case.',
  }),
};

interface Judged extends ClientTlsSettings {
  readonly proxy_listen: readonly Listener[];
}

/** What does not fit together, one sentence each. */
export function tlsContradictions(settings: Judged): string[] {
  const problems: string[] = [];
  if (settings.ssl_cert.length !== settings.ssl_cert_key.length) {
    problems.push('ssl_cert and ssl_cert_key must name as many certificates as keys');
  }
  const verify = settings.nginx_http_ssl_verify_client;
  const authorities = settings.nginx_http_ssl_client_certificate;
  if ((verify === 'on' || verify === 'optional') && authorities === null) {
    problems.push(`nginx_http_ssl_verify_client = ${verify} needs nginx_http_ssl_client_certificate`);
  }
  if (settings.nginx_http_ssl_crl !== null && authorities === null) {
    problems.push('nginx_http_ssl_crl needs nginx_http_ssl_client_certificate');
  }
  return problems;
}

const CUSTOM = ['ssl_ciphers', 'ssl_protocols', 'ssl_prefer_server_ciphers', 'ssl_dhparam'] as const;

/** Of what was set and does nothing. @param raw by name. */
export function tlsWarnings(
  raw: Readonly<Record<string, { readonly value: string; readonly origin: string }>>,
  settings: Judged,
): string[] {
  const suite = settings.ssl_cipher_suite;
  const said = CUSTOM.filter(
    (name) => !['', CLIENT_TLS_SETTINGS[name].initial].includes(raw[name]?.value ?? ''),
  );
  const idle = suite === 'custom' ? [] : said;
  const ignored = idle.map(
    (name) =>
      `${raw[name]?.origin}: ${name} has no effect with ssl_cipher_suite = ${suite}, only with custom`,
  );
  const verify = raw['nginx_http_ssl_verify_client'];
  if (verify !== undefined && settings.nginx_http_ssl_verify_client !== 'off') {
    if (!settings.proxy_listen.some(({ ssl }) => ssl)) {
      ignored.push(
        `${verify.origin}: nginx_http_ssl_verify_client: no listener of proxy_listen has ssl: nobody is asked`,
      );
    }
  }
  return ignored;
}
