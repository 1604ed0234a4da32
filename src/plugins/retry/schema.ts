/** retry: Sluice's own, beside Kong's `retries` of a service. */
import { describePlugin } from '../../entities/plugin-description.ts';
import * as t from '../../entities/typedefs.ts';
import { budgetField } from '../../entities/try-budget.ts';

const FAILURES = ['connect_failure', 'timeout', 'reset', 'refused_stream', 'invalid_response'] as const;

export const retry = describePlugin({
  name: 'retry',
  priority: 50,
  description:
    'Says which answers and failures of an upstream are tried again, when, and how many of them a node affords.',
  never: ['consumer', 'consumer_group'],
  example: {
    attempts: 2,
    statuses: [502, 503],
    on: ['connect_failure', 'reset', 'refused_stream', 'timeout'],
    per_try_timeout: 2000,
    budget: { percent: 20 },
  },
  config: {
    attempts: {
      type: 'integer',
      between: [0, 32],
      description: "Tries after the first; the service's `retries`, unless set.",
    },
    statuses: {
      type: 'set',
      required: true,
      default: [],
      elements: { type: 'integer', between: [300, 599] },
      description:
        'Statuses of the upstream that are tried again. When no try is left, the last answer goes to the client as it is.',
    },
    grpc_statuses: {
      type: 'set',
      required: true,
      default: [],
      elements: { type: 'integer', between: [1, 16] },
      description:
        'Statuses of gRPC that are tried again, such as 14 (UNAVAILABLE), whatever the method is. Only calls that the upstream ' +
        'ended with its first frame can be: once a message has come, the call goes to the client as it is.',
    },
    on: {
      type: 'set',
      required: true,
      default: ['connect_failure', 'timeout', 'reset', 'refused_stream'],
      elements: { type: 'string', one_of: FAILURES },
      description:
        'Failures before the head of a response that are tried again. `connect_failure`: no connection (refused, TLS, no ' +
        'answer in time); `timeout`: none of the time-outs is kept; `reset`: closed or reset before the head was whole; ' +
        '`refused_stream`: HTTP/2 upstreams that say that they have not begun; `invalid_response`: what is no HTTP.',
    },
    methods: {
      type: 'set',
      elements: t.httpMethod,
      description:
        'Methods that may reach an upstream twice; all but POST, PATCH and LOCK, unless set. What was not sent is tried again ' +
        'whatever its method.',
    },
    per_try_timeout: {
      type: 'integer',
      between: [1, 2_147_483_646],
      description:
        "Milliseconds that a try has until the head of its response, connecting included; the service's time-outs alone, unless set.",
    },
    backoff_base: {
      type: 'integer',
      required: true,
      default: 25,
      between: [0, 60_000],
      description:
        'Milliseconds: before the n-th retry passes a random time from 0 to this times 2^(n-1). 0: none at all.',
    },
    backoff_max: {
      type: 'integer',
      required: true,
      default: 250,
      between: [0, 60_000],
      description: 'Milliseconds that pass before a retry at most.',
    },
    retry_after_max: {
      type: 'number',
      required: true,
      default: 1,
      between: [0, 60],
      description:
        'Seconds: a `Retry-After` (of gRPC: `grpc-retry-pushback-ms`) up to this is waited for, and an answer with a later one ' +
        'goes to the client. 0: nobody looks at it.',
    },
    budget: budgetField(20, 10),
  },
});
