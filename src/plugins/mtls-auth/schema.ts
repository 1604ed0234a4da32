/** Kong Enterprise's mtls-auth. */
import { describePlugin } from '../../entities/plugin-description.ts';
import type { Field, Fields } from '../../entities/schema/field.ts';

const consumerReference = { type: 'string', len_min: 1 } as const satisfies Field;

/** What header-cert-auth has in common with it. */
export const certificateFields = {
  anonymous: {
    type: 'string',
    description: 'Id or username of the consumer that a request counts as when no certificate lets it in.',
  },
  consumer_by: {
    type: 'array',
    elements: { type: 'string', one_of: ['username', 'custom_id'] },
    default: ['username', 'custom_id'],
    description:
      "What of consumers is compared with the certificate's names: its alternative names in their order, then its common name. Empty: nothing, only default_consumer lets in.",
  },
  ca_certificates: {
    type: 'array',
    required: true,
    len_min: 1,
    elements: { type: 'string', uuid: true },
    description: 'Ids of the CA certificates that are trusted.',
  },
  skip_consumer_lookup: {
    type: 'boolean',
    required: true,
    default: false,
    description:
      'Whether a trusted certificate is enough: no consumer is looked for, the upstream is told X-Client-Cert-Dn and X-Client-Cert-San, and the group is authenticated_group_by.',
  },
  allow_partial_chain: {
    type: 'boolean',
    required: true,
    default: false,
    description: 'Whether the way to a trusted authority may end at one that another authority has signed.',
  },
  authenticated_group_by: {
    type: 'string',
    one_of: ['CN', 'DN'],
    default: 'CN',
    description:
      'With skip_consumer_lookup: whether the group is the common name or the whole distinguished name.',
  },
  revocation_check_mode: {
    type: 'string',
    required: true,
    one_of: ['SKIP', 'IGNORE_CA_ERROR', 'STRICT'],
    default: 'IGNORE_CA_ERROR',
    description:
      'Whether it is asked if certificates have been revoked, by OCSP and lists that they name: never (`SKIP`); so that one is let in when that cannot be said (`IGNORE_CA_ERROR`); or only one that is said to be good (`STRICT`).',
  },
  http_timeout: {
    type: 'number',
    required: true,
    default: 30_000,
    between: [1, 600_000],
    description: 'Milliseconds that a responder or a list may take.',
  },
  cert_cache_ttl: {
    type: 'number',
    required: true,
    default: 60_000,
    between: [1, 86_400_000],
    description: 'Milliseconds after which it is asked again whether a certificate has been revoked.',
  },
  cache_ttl: {
    type: 'number',
    required: true,
    default: 60,
    gt: 0,
    description:
      'Seconds that the verdict on a certificate is kept. Consumers are looked up for each request.',
  },
  default_consumer: {
    ...consumerReference,
    description:
      'Id or username of the consumer that a trusted certificate stands for when no other is found.',
  },
} as const satisfies Fields;

export const mtlsAuth = describePlugin({
  name: 'mtls-auth',
  priority: 1600,
  identifies: true,
  description: 'Lets in who shows a client certificate that one of the named authorities has issued.',
  never: ['consumer'],
  example: {
    ca_certificates: ['cce8c384-721f-4f58-85dd-50834e3e733a'],
    consumer_by: ['username'],
    skip_consumer_lookup: false,
  },
  config: {
    ...certificateFields,
    send_ca_dn: {
      type: 'boolean',
      required: true,
      default: false,
      description:
        'Whether clients are told the names of the authorities when they are asked for a certificate.',
    },
  },
});
