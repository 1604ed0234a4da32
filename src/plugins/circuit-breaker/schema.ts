/** circuit-breaker: Sluice's own. */
import { describePlugin } from '../../entities/plugin-description.ts';

const HOUR_MS = 3_600_000;

export const circuitBreaker = describePlugin({
  name: 'circuit-breaker',
  priority: 40,
  description:
    'Sends nothing for a while to what has failed too often: to a target, an upstream, or a service.',
  never: ['consumer', 'consumer_group'],
  endpoints: true,
  example: {
    per: ['target', 'upstream'],
    error_percent: 50,
    minimum_requests: 20,
    consecutive_failures: 5,
    slow_call: 2000,
    max_ejected_percent: 50,
  },
  config: {
    per: {
      type: 'set',
      required: true,
      default: ['target'],
      len_min: 1,
      elements: { type: 'string', one_of: ['target', 'upstream'] },
      description:
        'What opens by itself: each `target`, which balancing then passes over, and the `upstream` as a whole, whose requests ' +
        'are then answered with 503. A service whose host is no upstream has one breaker, for its address.',
    },
    window: {
      type: 'integer',
      required: true,
      default: 10_000,
      between: [100, HOUR_MS],
      description: 'Milliseconds over which requests and failures are counted, in ten steps.',
    },
    minimum_requests: {
      type: 'integer',
      required: true,
      default: 20,
      between: [1, 1_000_000],
      description: 'Requests in the window before `error_percent` says anything.',
    },
    error_percent: {
      type: 'number',
      required: true,
      default: 50,
      between: [0, 100],
      description: 'Failures of a hundred requests in the window that open; 0: no share of them does.',
    },
    consecutive_failures: {
      type: 'integer',
      between: [1, 255],
      description: 'Failures in a row that open, however few requests there are; unless set, none do.',
    },
    failure_statuses: {
      type: 'set',
      required: true,
      default: [500, 502, 503, 504],
      elements: { type: 'integer', between: [400, 599] },
      description: 'Statuses of the upstream that are failures.',
    },
    timeouts: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether a time-out is a failure.',
    },
    connection_errors: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether it is one when there is no connection, or no valid answer on it.',
    },
    slow_call: {
      type: 'integer',
      between: [1, HOUR_MS],
      description:
        'Milliseconds to the head of the response beyond which an answer is a failure, whatever it says; unless set, it is not.',
    },
    open_time: {
      type: 'integer',
      required: true,
      default: 5000,
      between: [100, HOUR_MS],
      description: 'Milliseconds for which a breaker is open the first time.',
    },
    backoff: {
      type: 'number',
      required: true,
      default: 2,
      between: [1, 10],
      description:
        'How many times longer it is open each time that it opens again: after a probe that failed, or within its last open ' +
        'time after it had closed.',
    },
    max_open_time: {
      type: 'integer',
      required: true,
      default: 60_000,
      between: [100, HOUR_MS],
      description: 'Milliseconds for which it is open at most.',
    },
    half_open_requests: {
      type: 'integer',
      required: true,
      default: 1,
      between: [1, 100],
      description:
        'Requests that try it at a time after that, of all workers of the node. Others are treated as if it were open.',
    },
    half_open_successes: {
      type: 'integer',
      required: true,
      default: 2,
      between: [1, 500],
      description: 'Such requests that have to succeed before it closes. One that fails opens it again.',
    },
    max_ejected_percent: {
      type: 'integer',
      required: true,
      default: 100,
      between: [1, 100],
      description:
        'How many of a hundred targets of an upstream may be open at a time, rounded down: others stay in, however they fail. ' +
        'With 100 all may be, and requests are then answered with 503.',
    },
  },
  checks: [
    {
      custom_entity_check: {
        field_sources: ['error_percent', 'consecutive_failures'],
        fn: ({ error_percent: share, consecutive_failures: row }) =>
          share === 0 && (row ?? null) === null
            ? "'error_percent' 0 needs 'consecutive_failures': nothing opens otherwise"
            : null,
      },
    },
  ],
});
