/** Kong's basic-auth. */
import { describePlugin } from '../../entities/plugin-description.ts';

export const basicAuth = describePlugin({
  name: 'basic-auth',
  priority: 1100,
  identifies: true,
  description: 'Lets in who shows a user name and its password (RFC 7617).',
  never: ['consumer', 'consumer_group'],
  example: { hide_credentials: true, realm: 'orders' },
  config: {
    anonymous: {
      type: 'string',
      description: 'Id or username of the consumer that a request counts as when no password lets it in.',
    },
    hide_credentials: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether the upstream is not shown the password.',
    },
    realm: {
      type: 'string',
      required: true,
      default: 'service',
      description: 'What WWW-Authenticate names as the realm.',
    },
  },
});
