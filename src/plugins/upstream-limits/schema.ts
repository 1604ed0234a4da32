/** upstream-limits: Sluice's own. */
import { describePlugin } from '../../entities/plugin-description.ts';

const MAX = 1_000_000;
const places = (description: string) => ({ type: 'integer', between: [1, MAX], description }) as const;

export const upstreamLimits = describePlugin({
  name: 'upstream-limits',
  priority: 30,
  description:
    'Bounds what is in flight to an upstream and to each of its targets, and how many requests wait for a place.',
  never: ['consumer', 'consumer_group'],
  example: { max_requests: 1024, max_requests_per_target: 256, max_pending: 1024, pending_timeout: 500 },
  config: {
    max_requests: places('Requests in flight to the upstream, of all workers of the node together.'),
    max_requests_per_target: places('Requests in flight to each target. One that is full is passed over.'),
    max_connections: places(
      'Connections that carry a request to the upstream; over HTTP/1.1 each request and each WebSocket has one for itself, over ' +
        'HTTP/2 this bounds nothing. Idle connections that are kept for later are not counted.',
    ),
    max_connections_per_target: places('The same for each target.'),
    max_pending: {
      type: 'integer',
      required: true,
      default: 0,
      between: [0, MAX],
      description:
        'Requests that wait for a place, first come, first served, of all workers together; further ones are answered with 503 ' +
        'at once. With 0 none waits.',
    },
    pending_timeout: {
      type: 'integer',
      required: true,
      default: 1000,
      between: [1, 3_600_000],
      description: 'Milliseconds that a request waits at most; then it is answered with 503.',
    },
  },
  checks: [
    {
      at_least_one_of: [
        'max_requests',
        'max_requests_per_target',
        'max_connections',
        'max_connections_per_target',
      ],
    },
  ],
});
