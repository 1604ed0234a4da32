/** The `budget` of plugins that send a request more than once: fields for their schemas. */
import type { RecordField } from './schema/field.ts';

/** @param percent unless said. @param least a second, unless said. */
export function budgetField<const P extends number, const M extends number>(percent: P, least: M) {
  return {
    type: 'record',
    required: true,
    description:
      'Bounds the extra tries of a service on this node, all workers together, so that they cannot multiply an outage.',
    fields: {
      percent: {
        type: 'number',
        required: true,
        default: percent,
        between: [0, 100],
        description: 'Extra tries for a hundred requests of the service within the window.',
      },
      min_per_second: {
        type: 'number',
        required: true,
        default: least,
        between: [0, 100_000],
        description:
          'Extra tries a second that are allowed however few requests there are, on the average of the window.',
      },
      window: {
        type: 'number',
        required: true,
        default: 10,
        between: [1, 3600],
        description: 'Seconds over which requests and extra tries are counted.',
      },
    },
  } as const satisfies RecordField;
}
