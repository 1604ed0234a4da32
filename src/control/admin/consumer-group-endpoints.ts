/** Where consumer groups depart from the general rule of entities: Kong Enterprise's endpoints of memberships. */
import type { ApiEndpoint } from './special-endpoints.ts';

const GROUP = '/consumer_groups/{consumer_groups}';
const CONSUMER = '/consumers/{consumers}/consumer_groups';

export const GROUP_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: GROUP,
    methods: ['GET', 'PUT', 'PATCH', 'DELETE'],
    kind: 'consumer_groups',
    answers: 'other',
    summary: 'one group; GET answers it with its consumers and plugins',
  },
  {
    path: `${GROUP}/consumers`,
    methods: ['GET', 'POST', 'DELETE'],
    kind: 'consumers',
    answers: 'page',
    summary: 'the consumers in a group; POST {"consumer": …} adds one, DELETE removes all',
  },
  {
    path: `${GROUP}/consumers/{consumers}`,
    methods: ['GET', 'DELETE'],
    kind: 'consumers',
    answers: 'entity',
    summary: 'one consumer in a group; DELETE takes it out',
  },
  {
    path: CONSUMER,
    methods: ['GET', 'POST', 'DELETE'],
    kind: 'consumer_groups',
    answers: 'page',
    summary: 'the groups of a consumer; POST {"group": …} adds one, DELETE removes all',
  },
  {
    path: `${CONSUMER}/{consumer_groups}`,
    methods: ['GET', 'DELETE'],
    kind: 'consumer_groups',
    answers: 'entity',
    summary: 'one group of a consumer; DELETE takes the consumer out',
  },
];
