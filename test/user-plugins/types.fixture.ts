/** What an author may write, and what the compiler must not let pass. Compiled by `types.test.ts` outside of this tree. */
import { definePlugin, describeEntity, refuse, reply, type Exchange, type Filters } from 'sluice/plugin';
import { startGateway } from 'sluice/plugin-testing';

const plans = describeEntity({
  name: 'plans',
  endpointKey: 'name',
  fields: {
    name: { type: 'string', required: true, unique: true },
    limit: { type: 'integer', required: true, default: 3 },
    owner: { type: 'foreign', reference: 'consumers' },
  },
});

export default definePlugin({
  name: 'typed',
  priority: 10,
  entities: [plans],
  config: {
    names: { type: 'array', required: true, default: [], elements: { type: 'string' } },
    limit: { type: 'integer', required: true, default: 3 },
    label: { type: 'string' },
    mode: { type: 'string', required: true, default: 'on', one_of: ['on', 'off'] },
    nested: {
      type: 'record',
      required: true,
      fields: { deep: { type: 'boolean', required: true, default: true } },
    },
  },
  create(config, gateway) {
    const names: readonly string[] = config.names;
    const limit: number = config.limit;
    const label: string | null = config.label;
    const deep: boolean = config.nested.deep;
    // @ts-expect-error a field that is not there
    void config.nothing;
    // @ts-expect-error a number is no text
    const wrong: string = config.limit;
    // @ts-expect-error it may be null
    void config.label.length;
    // @ts-expect-error configurations are not written
    config.limit = 4;
    gateway.log.info(`${names.length} ${limit} ${label} ${deep} ${wrong}`);
    // @ts-expect-error a level that is not there
    gateway.log.loud('x');
    const seen = gateway.cache<number>({ max: 10 });
    const count: number = gateway.counters.increment('calls');
    const consumer = gateway.entities.find('consumers', 'username', 'anna');
    const username: string | null = consumer?.username ?? null;
    // @ts-expect-error a kind that is not there
    gateway.entities.find('nobodies', 'username', 'anna');
    const own = gateway.own(plans);
    const plan = own.find('name', 'gold');
    const most: number | null = plan?.limit ?? null;
    const belongs: string | null = own.owned('x')[0]?.owner?.id ?? null;
    const tags: readonly string[] | null = own.get('x')?.tags ?? null;
    // @ts-expect-error a field that is not unique
    own.find('limit', '3');
    // @ts-expect-error a field that is not there
    void plan?.price;
    void [seen, count, username, most, belongs, tags];
    return {
      async access(exchange) {
        const host: string = exchange.request.host;
        const agent: string | undefined = exchange.request.headers.get('User-Agent');
        exchange.upstreamRequest.headers.set('X-Host', host);
        // @ts-expect-error what the client sent is not changed
        exchange.request.headers.set('X-Host', host);
        // @ts-expect-error nor its method
        exchange.request.method = 'PUT';
        // @ts-expect-error a header is text
        exchange.upstreamRequest.headers.set('X-Count', 5);
        const body: Buffer = await exchange.request.body();
        if (agent === undefined) return refuse(403, 'no agent');
        if (body.length > 5)
          return reply(200, { route: exchange.route?.name, service: exchange.service?.host });
        return undefined;
      },
      headerFilter(exchange) {
        exchange.response.headers.set('X-Typed', 'yes');
        exchange.response.status = 201;
      },
      bodyFilter(_exchange, chunk, last) {
        const size: number = chunk.length;
        return last && size > 0 ? Buffer.from(chunk.toString().toUpperCase()) : chunk;
      },
      log(exchange) {
        gateway.log.debug(exchange.id);
      },
      dispose() {},
    };
  },
});

definePlugin({
  name: 'wrong',
  priority: 1,
  config: {},
  // @ts-expect-error a filter that answers what is no reply
  create: () => ({ access: () => 5 }),
});

definePlugin({
  name: 'wrong',
  // @ts-expect-error a priority is a number
  priority: 'high',
  config: {},
  create: () => ({}),
});

definePlugin({
  name: 'wrong',
  priority: 1,
  // @ts-expect-error a type of field that is not there
  config: { a: { type: 'text' } },
  create: () => ({}),
});

export function helper(exchange: Exchange): Filters {
  void exchange.client.ip;
  return {};
}

export async function tested(): Promise<number> {
  await using gateway = await startGateway({ plugins: [{ name: 'typed' }] });
  const response = await gateway.request('/', { headers: { a: 'b' } });
  // @ts-expect-error a status is a number
  const text: string = response.status;
  return text.length;
}
