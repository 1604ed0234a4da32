/** Kong's ip-restriction. */
import { describePlugin } from '../../entities/plugin-description.ts';
import { PROTOCOLS } from '../../entities/typedefs.ts';
import { checkIpOrCidr } from '../../entities/formats/ip.ts';

const addresses = { type: 'string', custom_validator: checkIpOrCidr } as const;

export const ipRestriction = describePlugin({
  name: 'ip-restriction',
  priority: 990,
  description: 'Lets clients in, or keeps them out, by their addresses.',
  protocols: { accepted: PROTOCOLS, default: ['http', 'https', 'tcp', 'tls', 'grpc', 'grpcs'] },
  example: { allow: ['10.0.0.0/8', '2001:db8::/32'], deny: ['10.0.0.13'] },
  config: {
    allow: {
      type: 'array',
      elements: addresses,
      description: 'Addresses and networks that are let in; no other is.',
    },
    deny: {
      type: 'array',
      elements: addresses,
      description: 'Addresses and networks that are kept out, also where `allow` has them.',
    },
    status: {
      type: 'number',
      between: [200, 599],
      description: 'Status of the refusal; 403 unless set.',
    },
    message: {
      type: 'string',
      description: 'What a refused client reads; that its address is not allowed, unless set.',
    },
  },
  entityChecks: [{ at_least_one_of: ['config.allow', 'config.deny'] }],
});
