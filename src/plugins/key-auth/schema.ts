/** Kong's key-auth. */
import { describePlugin } from '../../entities/plugin-description.ts';
import * as t from '../../entities/typedefs.ts';

export const keyAuth = describePlugin({
  name: 'key-auth',
  priority: 1250,
  identifies: true,
  description: 'Lets in who shows an API key.',
  never: ['consumer', 'consumer_group'],
  example: { key_names: ['apikey', 'x-api-key'], hide_credentials: true, realm: 'orders' },
  config: {
    key_names: {
      type: 'array',
      required: true,
      default: ['apikey'],
      elements: t.headerName,
      description: 'Names of the headers, query arguments or body fields that may hold the key.',
    },
    hide_credentials: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether the upstream is not shown the key.',
    },
    anonymous: {
      type: 'string',
      description: 'Id or username of the consumer that a request counts as when no key lets it in.',
    },
    key_in_header: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether headers are read.',
    },
    key_in_query: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether query arguments are read.',
    },
    key_in_body: {
      type: 'boolean',
      required: true,
      default: false,
      description:
        'Whether bodies are read: forms, multipart forms and JSON objects of at most 1 MiB. With a larger one the key is not found.',
    },
    run_on_preflight: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether OPTIONS requests need a key, too.',
    },
    realm: { type: 'string', description: 'What WWW-Authenticate names as the realm.' },
  },
});
