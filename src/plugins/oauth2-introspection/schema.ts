/** Kong Enterprise's oauth2-introspection, with its names. */
import { splitUrl } from '../../entities/formats/url.ts';
import { describePlugin } from '../../entities/plugin-description.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function urlProblem(url: string): string | null {
  const { scheme, host } = splitUrl(url);
  if (host === null) return 'missing host in url';
  if (scheme === null) return 'missing scheme in url';
  return /^https?$/i.test(scheme) && URL.canParse(url) ? null : 'must be an http or https URL';
}

const inHeaderName = (text: string): string | null =>
  TOKEN.test(text) ? null : `'${text}' cannot be part of a header's name`;

export const oauth2Introspection = describePlugin({
  name: 'oauth2-introspection',
  priority: 1700,
  identifies: true,
  description: 'Lets in who shows an access token that another authorization server says is good (RFC 7662).',
  never: ['consumer', 'consumer_group'],
  example: {
    introspection_url: 'https://id.example.com/oauth2/introspect',
    authorization_value: 'Basic Z2F0ZXdheTpzZWNyZXQ=',
    custom_claims_forward: ['tenant'],
  },
  config: {
    introspection_url: {
      type: 'string',
      required: true,
      custom_validator: urlProblem,
      description: 'The introspection endpoint of the authorization server.',
    },
    ttl: {
      type: 'number',
      default: 30,
      description:
        "Seconds that an answer is kept, and at most until the token's own end; 0: until then, or until room is needed.",
    },
    token_type_hint: { type: 'string', description: 'Sent along with each token as `token_type_hint`.' },
    authorization_value: {
      type: 'string',
      required: true,
      encrypted: true,
      referenceable: true,
      secret: true,
      description: 'The Authorization header that the endpoint is asked with.',
    },
    timeout: {
      type: 'integer',
      default: 10_000,
      description: 'Milliseconds that the endpoint may take to answer.',
    },
    keepalive: {
      type: 'integer',
      default: 60_000,
      description:
        "Milliseconds that an idle connection to the endpoint may be kept. Taken for compatibility: the gateway's own pool decides.",
    },
    introspect_request: {
      type: 'boolean',
      required: true,
      default: false,
      description:
        'Whether the endpoint is told what is asked for, in X-Request-Path and X-Request-Http-Method. Answers are then kept for each path and method.',
    },
    hide_credentials: {
      type: 'boolean',
      default: false,
      description: 'Whether the upstream is not shown the token.',
    },
    run_on_preflight: {
      type: 'boolean',
      default: true,
      description: 'Whether OPTIONS requests need a token, too.',
    },
    anonymous: {
      type: 'string',
      len_min: 0,
      default: '',
      description: 'Id or username of the consumer that a request counts as when no token lets it in.',
    },
    consumer_by: {
      type: 'string',
      required: true,
      default: 'username',
      one_of: ['username', 'client_id'],
      description:
        'What of the answer names the consumer: `username` its username, `client_id` its custom_id.',
    },
    custom_introspection_headers: {
      type: 'map',
      required: true,
      keys: { type: 'string', custom_validator: inHeaderName },
      values: { type: 'string' },
      default: {},
      description: 'More headers that the endpoint is asked with.',
    },
    custom_claims_forward: {
      type: 'set',
      required: true,
      elements: { type: 'string', custom_validator: inHeaderName },
      default: [],
      description: 'More claims of the answer that the upstream is told, each as X-Credential-NAME.',
    },
  },
});
