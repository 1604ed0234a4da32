/** Kong's cors. */
import { describePlugin } from '../../entities/plugin-description.ts';
import { regexProblem } from '../../entities/formats/regex.ts';

const METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'] as const;

export const cors = describePlugin({
  name: 'cors',
  priority: 2000,
  description: 'Tells browsers which other sites may call, and answers their preflight requests.',
  never: ['consumer', 'consumer_group'],
  example: {
    origins: ['https://app.example.com', 'https://[a-z0-9-]+\\.preview\\.example\\.com'],
    methods: ['GET', 'POST'],
    headers: ['Authorization', 'Content-Type'],
    credentials: true,
    max_age: 3600,
  },
  config: {
    origins: {
      type: 'array',
      elements: {
        type: 'string',
        custom_validator: (origin) =>
          origin === '*' || regexProblem(origin) === null ? null : `'${origin}' is not a valid regex`,
      },
      description:
        'Sites that may call: `*` for all, origins, or regular expressions (RE2), which have to match as a whole; one without a ' +
        'colon is compared with the host alone. Without any all may. A sole entry that is no regular expression is answered as it is.',
    },
    headers: {
      type: 'array',
      elements: { type: 'string' },
      description:
        'What preflights are told for `Access-Control-Allow-Headers`; what they ask for, unless set.',
    },
    exposed_headers: {
      type: 'array',
      elements: { type: 'string' },
      description: 'Response headers that scripts may read.',
    },
    methods: {
      type: 'array',
      default: METHODS,
      elements: { type: 'string', one_of: METHODS },
      description: 'Methods that preflights are told.',
    },
    max_age: {
      type: 'number',
      description: 'Seconds for which browsers may keep the answer to a preflight.',
    },
    credentials: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether calls with cookies or other credentials are allowed.',
    },
    private_network: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether public sites may call, when this gateway is in a private network.',
    },
    preflight_continue: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether preflights go to the upstream, whose answer then stands.',
    },
    allow_origin_absent: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether responses to requests without an Origin get the headers, too.',
    },
  },
});
