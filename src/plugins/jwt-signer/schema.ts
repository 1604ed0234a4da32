/**
 * Kong Enterprise's jwt-signer, its access tokens: a token is verified with the keys of its issuer, and what the upstream
 * gets is signed with a key of the gateway's. Fields that are not here (channel tokens, introspection) are refused.
 */
import { checkHttpUrl } from '../../entities/formats/http-url.ts';
import { describePlugin } from '../../entities/plugin-description.ts';
import type { Field } from '../../entities/schema/field.ts';
import { ASYMMETRIC_ALGORITHMS, HMAC_ALGORITHMS } from '../../lib/jose/algorithms.ts';

const texts = { type: 'array', elements: { type: 'string' } } as const satisfies Field;
const claims = {
  type: 'map',
  keys: { type: 'string' },
  values: { type: 'string' },
  default: {},
} as const satisfies Field;

export const jwtSigner = describePlugin({
  name: 'jwt-signer',
  identifies: true,
  priority: 1020,
  description:
    'Verifies the access token of a request and gives the upstream one that the gateway has signed.',
  example: {
    access_token_jwks_uri: 'https://issuer.example.com/.well-known/jwks.json',
    access_token_keyset: 'upstream-tokens',
    access_token_signing_algorithm: 'ES256',
    access_token_issuer: 'https://gateway.example.com',
    add_claims: { gateway: 'sluice' },
  },
  config: {
    realm: { type: 'string', description: 'What WWW-Authenticate names as the realm.' },
    enable_hs_signatures: {
      type: 'boolean',
      default: false,
      description:
        'Whether tokens and keys of HS256, HS384 and HS512 are taken: whoever verifies them can sign them.',
    },
    access_token_request_header: {
      type: 'string',
      default: 'Authorization',
      description: 'Name of the header that holds the access token, with `Bearer` in front or without.',
    },
    access_token_optional: {
      type: 'boolean',
      default: false,
      description:
        'Whether a request without an access token goes on. One that has a token needs a good one.',
    },
    verify_access_token_signature: {
      type: 'boolean',
      default: true,
      description: 'Whether the signature must be one of a key of access_token_jwks_uri.',
    },
    access_token_jwks_uri: {
      type: 'string',
      custom_validator: checkHttpUrl,
      description: 'Where the public keys of the issuer are, as a JWK set.',
    },
    access_token_jwks_uri_rotate_period: {
      type: 'number',
      between: [0, 86_400_000],
      default: 0,
      description:
        'Seconds after which the keys are asked for again; 0: only when a token names one that is not known, at most every 30 seconds.',
    },
    verify_access_token_expiry: {
      type: 'boolean',
      default: true,
      description:
        'Whether the token must have an end (exp) that is not over, and a beginning (nbf), if any, that is.',
    },
    access_token_leeway: {
      type: 'number',
      between: [0, 86_400_000],
      default: 0,
      description: "Seconds that the issuer's clock may differ.",
    },
    verify_access_token_scopes: {
      type: 'boolean',
      default: true,
      description: 'Whether the scopes of access_token_scopes_required are asked for.',
    },
    access_token_scopes_required: {
      ...texts,
      description:
        'Scopes, of which one must be there; several in one text, with spaces between, must all be there.',
    },
    access_token_scopes_claim: {
      ...texts,
      default: ['scope'],
      description:
        'The claim that holds the scopes, as a way into the claims: a text with spaces, or a list.',
    },
    access_token_consumer_claim: {
      ...texts,
      description:
        'The claim that names the consumer, as a way into the claims. Without it nobody is authenticated.',
    },
    access_token_consumer_by: {
      type: 'array',
      elements: { type: 'string', one_of: ['id', 'username', 'custom_id'] },
      default: ['username', 'custom_id'],
      description: 'What of consumers is compared with that claim.',
    },
    access_token_keyset: {
      type: 'string',
      default: 'kong',
      description:
        'Name of the key set that signs: its first key with a private half that fits the algorithm.',
    },
    access_token_signing_algorithm: {
      type: 'string',
      one_of: [...HMAC_ALGORITHMS, ...ASYMMETRIC_ALGORITHMS],
      default: 'RS256',
      description: 'The algorithm of the new signature.',
    },
    access_token_issuer: {
      type: 'string',
      default: 'kong',
      description: 'The claim iss of the new token; what was there before becomes original_iss.',
    },
    access_token_upstream_header: {
      type: 'string',
      len_min: 0,
      default: 'Authorization:Bearer',
      description:
        'The header that the upstream gets the new token in, with a prefix behind a colon. Empty: nothing is signed.',
    },
    access_token_upstream_leeway: {
      type: 'number',
      between: [-86_400_000, 86_400_000],
      default: 0,
      description: 'Seconds that the new token lasts longer than the old one, or, when negative, less.',
    },
    original_access_token_upstream_header: {
      type: 'string',
      description: 'The header that the upstream gets the old token in.',
    },
    add_claims: { ...claims, description: 'Claims that the new token gets unless it has them.' },
    set_claims: { ...claims, description: 'Claims that the new token gets, whatever it has.' },
    add_access_token_claims: { ...claims, description: 'As add_claims; for access tokens alone.' },
    set_access_token_claims: { ...claims, description: 'As set_claims; for access tokens alone.' },
    remove_access_token_claims: {
      ...texts,
      default: [],
      description: 'Claims that the new token does not keep.',
    },
  },
  checks: [
    {
      conditional: {
        if_field: 'verify_access_token_signature',
        if_match: { eq: true },
        then_field: 'access_token_jwks_uri',
        then_match: { required: true },
      },
    },
  ],
});
