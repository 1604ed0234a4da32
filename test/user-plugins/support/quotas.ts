/** A plugin with entities of its own: plans, and quotas of consumers. It answers what it finds in the worker. */
export interface QuotaText {
  /** More fields of quotas, as TypeScript. */
  readonly fields?: string;
  /** In place of the names of the kinds. */
  readonly plans?: string;
  readonly name?: string;
}

export function quotaPlugin({ fields = '', plans = 'plans', name = 'quota' }: QuotaText = {}): string {
  return `import { definePlugin, describeEntity, reply } from 'sluice/plugin';

const plans = describeEntity({
  name: '${plans}',
  description: 'What may be bought.',
  endpointKey: 'name',
  fields: {
    name: { type: 'string', required: true, unique: true, description: 'Its name.' },
    limit: { type: 'integer', required: true, default: 10, between: [1, 1000] },
    labels: { type: 'map', keys: { type: 'string' }, values: { type: 'string' } },
  },
});

const quotas = describeEntity({
  name: '${name}_quotas',
  path: '${name}-quotas',
  nestedPath: '${name}s',
  endpointKey: 'code',
  uniqueTogether: ['consumer', 'plan'],
  ttl: true,
  fields: {
    consumer: { type: 'foreign', reference: 'consumers', required: true, on_delete: 'cascade' },
    plan: { type: 'foreign', reference: '${plans}', required: true },
    code: { type: 'string', unique: true, auto: true, secret: true },
    used: { type: 'integer', required: true, default: 0 },
    ${fields}
  },
});

export default definePlugin({
  name: '${name}',
  priority: 10,
  config: {},
  entities: [plans, quotas],
  create(_config, gateway) {
    const own = gateway.own(quotas);
    const known = gateway.own(plans);
    return {
      access(exchange) {
        const code = exchange.request.headers.get('x-code') ?? '';
        const plan = exchange.request.headers.get('x-plan');
        const owner = exchange.request.headers.get('x-owner');
        if (plan !== undefined) return reply(200, { plan: known.find('name', plan) });
        if (owner !== undefined) return reply(200, { codes: own.owned(owner).map((one) => one.code).sort() });
        const found = own.find('code', code);
        return reply(200, {
          worker: gateway.node.workerId,
          found,
          same: found === null ? null : own.get(found.id.toUpperCase())?.code === code,
          limit: found === null ? null : (known.get(found.plan.id)?.limit ?? null),
        });
      },
    };
  },
});
`;
}
