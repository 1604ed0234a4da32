/** Kong's jwt. */
import { describePlugin } from '../../entities/plugin-description.ts';

export const jwt = describePlugin({
  name: 'jwt',
  priority: 1450,
  identifies: true,
  description: 'Lets in who shows a JSON Web Token that is signed with the key of a consumer.',
  never: ['consumer'],
  example: { claims_to_verify: ['exp', 'nbf'], maximum_expiration: 3600 },
  config: {
    uri_param_names: {
      type: 'set',
      elements: { type: 'string' },
      default: ['jwt'],
      description: 'Names of the query arguments that may hold the token.',
    },
    cookie_names: {
      type: 'set',
      elements: { type: 'string' },
      default: [],
      description: 'Names of the cookies that may hold the token.',
    },
    key_claim_name: {
      type: 'string',
      default: 'iss',
      description:
        "The claim that holds the credential's key; when the claims do not have it, the token's header is asked.",
    },
    secret_is_base64: {
      type: 'boolean',
      required: true,
      default: false,
      description:
        'Whether the secrets of credentials are written in base64, and what they decode to is the secret.',
    },
    claims_to_verify: {
      type: 'set',
      elements: { type: 'string', one_of: ['exp', 'nbf'] },
      description: 'Claims that must be there and hold by now: the end of the token, its beginning.',
    },
    anonymous: {
      type: 'string',
      description: 'Id or username of the consumer that a request counts as when no token lets it in.',
    },
    run_on_preflight: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether OPTIONS requests need a token, too.',
    },
    maximum_expiration: {
      type: 'number',
      default: 0,
      between: [0, 31_536_000],
      description: 'Seconds from now that a token may last at the most; 0: any time.',
    },
    header_names: {
      type: 'set',
      elements: { type: 'string' },
      default: ['authorization'],
      description: 'Names of the headers that may hold the token, as `Bearer TOKEN`.',
    },
    realm: { type: 'string', description: 'What WWW-Authenticate names as the realm.' },
  },
  entityChecks: [
    {
      conditional: {
        if_field: 'config.maximum_expiration',
        if_match: { gt: 0 },
        then_field: 'config.claims_to_verify',
        then_match: { contains: 'exp' },
      },
    },
  ],
});
