/** hedging: Sluice's own. */
import { describePlugin } from '../../entities/plugin-description.ts';
import * as t from '../../entities/typedefs.ts';
import { budgetField } from '../../entities/try-budget.ts';

export const hedging = describePlugin({
  name: 'hedging',
  priority: 49,
  description:
    'Asks a second target when the first is slow to answer; the first answer wins and the other try is cancelled.',
  never: ['consumer', 'consumer_group'],
  example: { percentile: 95, delay: 200, max_attempts: 2, budget: { percent: 5 } },
  config: {
    delay: {
      type: 'integer',
      required: true,
      default: 100,
      between: [0, 60_000],
      description:
        'Milliseconds without the head of a response after which another target is asked, too; with `percentile` only as long ' +
        'as too little is known.',
    },
    percentile: {
      type: 'number',
      between: [1, 99.9],
      description:
        'Asks another target when so many per cent of the requests would have been answered: measured on this node, for each ' +
        'service, over the last 20 seconds.',
    },
    max_attempts: {
      type: 'integer',
      required: true,
      default: 2,
      between: [2, 5],
      description: 'Tries of a request that are under way together.',
    },
    methods: {
      type: 'set',
      required: true,
      default: ['GET', 'HEAD', 'OPTIONS'],
      elements: t.httpMethod,
      description:
        'Methods that may reach two targets. gRPC calls are POST. A request with a body is only hedged when all of the body is ' +
        'kept (`request_buffering`, up to `request_buffer_size`).',
    },
    losing_statuses: {
      type: 'set',
      required: true,
      default: [500, 502, 503, 504],
      elements: { type: 'integer', between: [300, 599] },
      description:
        'An answer with one of these does not win as long as another try is under way; empty: the first answer wins.',
    },
    budget: budgetField(10, 1),
  },
});
