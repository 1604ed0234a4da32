/** Kong's acl. */
import { describePlugin } from '../../entities/plugin-description.ts';

export const acl = describePlugin({
  name: 'acl',
  priority: 950,
  description: 'Lets consumers in, or keeps them out, by the groups that they are in.',
  never: ['consumer', 'consumer_group'],
  example: { allow: ['staff', 'partners'], hide_groups_header: true },
  config: {
    allow: {
      type: 'array',
      elements: { type: 'string' },
      description: 'Groups that are let in; nobody else is.',
    },
    deny: {
      type: 'array',
      elements: { type: 'string' },
      description: 'Groups that are kept out; everybody else who is known is let in.',
    },
    hide_groups_header: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether the upstream is not told the groups.',
    },
    always_use_authenticated_groups: {
      type: 'boolean',
      required: true,
      default: false,
      description:
        "Whether groups that a plugin like ldap-auth or openid-connect found count in place of the consumer's own.",
    },
    include_consumer_groups: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether the names of the consumer groups that a consumer is in count as groups, too.',
    },
  },
  entityChecks: [
    { only_one_of: ['config.allow', 'config.deny'] },
    { at_least_one_of: ['config.allow', 'config.deny'] },
  ],
});
