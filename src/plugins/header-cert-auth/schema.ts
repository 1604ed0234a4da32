/** Kong Enterprise's header-cert-auth. */
import { describePlugin } from '../../entities/plugin-description.ts';
import * as t from '../../entities/typedefs.ts';
import { certificateFields } from '../mtls-auth/schema.ts';

export const headerCertAuth = describePlugin({
  name: 'header-cert-auth',
  priority: 1009,
  identifies: true,
  description:
    'Lets in who has shown a proxy in front a client certificate that one of the named authorities has issued.',
  never: ['consumer'],
  example: {
    certificate_header_name: 'X-Client-Cert',
    certificate_header_format: 'base64_encoded',
    ca_certificates: ['cce8c384-721f-4f58-85dd-50834e3e733a'],
  },
  config: {
    ...certificateFields,
    secure_source: {
      type: 'boolean',
      required: true,
      default: true,
      description:
        'Whether the header is believed only of a proxy of trusted_ips. Without it everybody may show any certificate that is known: a certificate is public.',
    },
    certificate_header_name: {
      ...t.headerName,
      required: true,
      description: 'Name of the header that the proxy in front writes the certificate to.',
    },
    certificate_header_format: {
      type: 'string',
      required: true,
      one_of: ['base64_encoded', 'url_encoded'],
      description:
        'How it is written: the base64 of a PEM without its first and last line, or PEM with percent escapes, perhaps several one after the other.',
    },
  },
});
