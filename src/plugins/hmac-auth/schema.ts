/** Kong's hmac-auth. */
import { describePlugin } from '../../entities/plugin-description.ts';

const ALGORITHMS = ['hmac-sha1', 'hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;

export const hmacAuth = describePlugin({
  name: 'hmac-auth',
  priority: 1030,
  identifies: true,
  description: 'Lets in who signs requests with a secret that only client and gateway know.',
  never: ['consumer'],
  example: {
    algorithms: ['hmac-sha256', 'hmac-sha512'],
    enforce_headers: ['date', '@request-target', 'digest'],
    validate_request_body: true,
    clock_skew: 60,
  },
  config: {
    hide_credentials: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether the upstream is not shown the signature.',
    },
    clock_skew: {
      type: 'number',
      default: 300,
      gt: 0,
      description:
        'Seconds that the Date or X-Date of a request may differ from now. Within that time a request can be repeated by whoever has seen it.',
    },
    anonymous: {
      type: 'string',
      description: 'Id or username of the consumer that a request counts as when no signature lets it in.',
    },
    validate_request_body: {
      type: 'boolean',
      required: true,
      default: false,
      description:
        'Whether the body must be the one that the Digest header tells (SHA-256). Only a Digest that is signed protects it: name it in enforce_headers.',
    },
    enforce_headers: {
      type: 'array',
      elements: { type: 'string' },
      default: [],
      description: 'What the signature must cover: names of headers, `request-line`, `@request-target`.',
    },
    algorithms: {
      type: 'array',
      elements: { type: 'string', one_of: ALGORITHMS },
      default: ALGORITHMS,
      description: 'Algorithms that a signature may be made with.',
    },
    realm: { type: 'string', description: 'What WWW-Authenticate names as the realm.' },
  },
});
