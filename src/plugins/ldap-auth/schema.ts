/** Kong's ldap-auth. */
import { describePlugin } from '../../entities/plugin-description.ts';
import * as t from '../../entities/typedefs.ts';

const off = (description: string) =>
  ({ type: 'boolean', required: true, default: false, description }) as const;

export const ldapAuth = describePlugin({
  name: 'ldap-auth',
  priority: 1200,
  identifies: true,
  description: 'Lets in who has a name and password in an LDAP directory.',
  never: ['consumer', 'consumer_group'],
  checks: [
    {
      conditional: {
        if_field: 'ldaps',
        if_match: { eq: true },
        then_field: 'start_tls',
        then_match: { eq: false },
        then_err: "'ldaps' and 'start_tls' cannot be enabled simultaneously",
      },
    },
  ],
  example: {
    ldap_host: 'ldap.example.com',
    ldap_port: 636,
    ldaps: true,
    verify_ldap_host: true,
    base_dn: 'ou=people,dc=example,dc=com',
    attribute: 'uid',
    hide_credentials: true,
  },
  config: {
    ldap_host: { ...t.host, required: true, description: 'Name or address of the directory.' },
    ldap_port: {
      ...t.port,
      required: true,
      default: 389,
      description: 'Its port: usually 389, or 636 with `ldaps`.',
    },
    ldaps: off('Whether connections speak TLS from the start.'),
    start_tls: off(
      'Whether connections change to TLS before anything is asked (StartTLS). Not with `ldaps`.',
    ),
    verify_ldap_host: off(
      "Whether the directory's certificate is verified, against `lua_ssl_trusted_certificate`.",
    ),
    base_dn: {
      type: 'string',
      required: true,
      description: 'Distinguished name below which users are: `ou=people,dc=example,dc=com`.',
    },
    attribute: {
      type: 'string',
      required: true,
      description: 'Attribute that holds the name of a user: `uid` or `cn`.',
    },
    cache_ttl: {
      type: 'number',
      required: true,
      default: 60,
      description:
        'Seconds that the answer about a name and password is kept, in memory and without the password; 0: it is not kept.',
    },
    hide_credentials: off('Whether the upstream is not shown the credentials.'),
    timeout: {
      type: 'number',
      default: 10_000,
      description: 'Milliseconds that the directory may take, connecting included.',
    },
    keepalive: {
      type: 'number',
      default: 60_000,
      description: 'Milliseconds that an idle connection is kept; 0: none is.',
    },
    anonymous: {
      type: 'string',
      description: 'Id or username of the consumer that a request counts as when no credentials let it in.',
    },
    header_type: {
      type: 'string',
      default: 'ldap',
      description: 'What stands before the credentials in the Authorization header: `ldap` or `basic`.',
    },
    realm: { type: 'string', description: 'What WWW-Authenticate names as the realm.' },
  },
});
