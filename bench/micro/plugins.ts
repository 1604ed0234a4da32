/**
 * Nanoseconds that plugins cost a request: `node bench/micro/plugins.ts`.
 *
 * A case is the life of one exchange without its wire: made from a parsed head, taken through the phases of its plan as
 * `exchange.ts` does it, and ended. `no plugin` is the same without the phases, so that the difference is what a chain costs.
 * Below, the choice of a plan when it becomes known who calls.
 */
import { randomUUID } from 'node:crypto';
import { createResolver } from '../../src/balancer/resolver/create-resolver.ts';
import { DIRECTORY_KINDS } from '../../src/entities/directory-kinds.ts';
import type { Plugin } from '../../src/entities/plugin.ts';
import type { PluginInstance } from '../../src/plugins/engine/instance.ts';
import type { Filters } from '../../src/plugins/kit/filters.ts';
import { PluginSet } from '../../src/plugins/engine/plugin-set.ts';
import { DataPlane } from '../../src/proxy/data-plane.ts';
import { Exchange } from '../../src/proxy/exchange.ts';
import { runLogs } from '../../src/proxy/plugins/response-filters.ts';
import { PluginRun } from '../../src/proxy/plugins/run.ts';
import { loadSettings } from '../../src/settings/load.ts';
import { FieldLines } from '../../src/wire/http1/field-lines.ts';
import { RequestHeadParser } from '../../src/wire/http1/head-parser.ts';
import { interpretRequest } from '../../src/wire/http1/head.ts';
import type { ServerStream } from '../../src/wire/message.ts';
import { Directory } from '../../src/zone/directory/directory.ts';
import { DirectoryWriter } from '../../src/zone/directory/writer.ts';
import { WorkerZone } from '../../src/zone/worker-zone.ts';
import { micro, microTable } from '../support/micro.ts';

const CHAIN = 10;
const CONSUMERS = 10_000;
const ROUTE = { id: randomUUID(), service: { id: randomUUID() } };
const REQUEST = Buffer.from(
  'GET /orders/42?full=1 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n' +
    'Accept-Encoding: gzip, br\r\nX-Trace: 7f3a\r\n\r\n',
);

const { settings } = loadSettings({
  env: {},
  overrides: { database: 'off', proxy_access_log: 'off', proxy_error_log: 'off' },
});
const plane = new DataPlane({
  settings,
  workerId: 0,
  zone: WorkerZone.standalone(),
  directory: new Directory(DIRECTORY_KINDS, new DirectoryWriter(DIRECTORY_KINDS).open()),
  resolver: createResolver(settings, () => undefined),
});

const parser = new RequestHeadParser(new FieldLines(REQUEST), {
  lineBytes: 8192,
  headBytes: 32_768,
  lines: 100,
});
parser.parse(REQUEST, 0, REQUEST.length);
const head = interpretRequest(parser, 'api.example.com');
if (typeof head === 'number') throw new Error(`the request is no request: ${head}`);
const stream = {
  peer: {
    remoteAddress: '127.0.0.1',
    remotePort: 1,
    localAddress: '127.0.0.1',
    localPort: 2,
    tls: null,
    trusted: false,
    publicPort: 2,
  },
} as ServerStream;

function instance(name: string, filters: Filters, more: Partial<Plugin> = {}): PluginInstance {
  const none = { route: null, service: null, consumer: null, consumer_group: null };
  const entity = { id: randomUUID(), name, enabled: true, config: {}, protocols: ['http'], ...none, ...more };
  return { entity: entity as unknown as Plugin, priority: 10, filters, broken: null };
}

function setOf(instances: readonly PluginInstance[]): PluginSet {
  return new PluginSet(new Map(instances.map((one) => [one.entity.id, one])));
}

/** Filters of one kind, under ten names: functions of their own, as those of ten plugins are. */
function chain(filtersOf: () => Filters, count = CHAIN): PluginSet {
  return setOf(Array.from({ length: count }, (_, n) => instance(`plugin-${n}`, filtersOf())));
}

function through(set: PluginSet): (index: number) => unknown {
  return () => {
    const exchange = new Exchange(plane, stream, head as Exclude<typeof head, number>);
    const run = (exchange.plugins = new PluginRun(exchange, set.global));
    run.start('rewrite');
    run.plan = set.planOf(ROUTE);
    run.start('access');
    runLogs(exchange, run);
    return exchange;
  };
}

const nothing = (): Filters => ({ access() {} });
const reading = (): Filters => ({ access: ({ request }) => void request.headers.get('x-trace') });

console.log(
  microTable(
    `Life of an exchange without its wire; ${CHAIN} plugins with one filter each`,
    micro([
      { name: 'no plugin', run: () => new Exchange(plane, stream, head) },
      { name: '1 plugin that does nothing', run: through(chain(nothing, 1)) },
      { name: `${CHAIN} plugins that do nothing`, run: through(chain(nothing)) },
      { name: `${CHAIN} plugins that read a header`, run: through(chain(reading)) },
      { name: `${CHAIN} plugins that log nothing`, run: through(chain(() => ({ log() {} }))) },
      {
        name: 'one that identifies: claims are looked for',
        run: through(setOf([{ ...instance('auth', nothing()), identifies: true }])),
      },
    ]),
  ),
);

const consumers = Array.from({ length: CONSUMERS }, () => randomUUID());
const scoped = setOf([
  ...Array.from({ length: CHAIN }, (_, n) => instance(`plugin-${n}`, nothing())),
  ...consumers.slice(0, CONSUMERS / 2).map((id) => instance('plugin-0', nothing(), { consumer: { id } })),
]);
const plan = scoped.planOf(ROUTE);
const pick = (from: number) => (index: number) =>
  plan.for(1, consumers[from + (index % (CONSUMERS / 2))] ?? null, []);

console.log(
  microTable(
    `The plan of who calls; ${CONSUMERS / 2} of ${CONSUMERS} consumers have a configuration of their own`,
    micro([
      { name: 'a consumer without one', run: pick(CONSUMERS / 2) },
      { name: 'a consumer with one', run: pick(0) },
      {
        name: 'no plugin asks who calls',
        run: (() => {
          const other = chain(nothing).planOf(ROUTE);
          return (index: number) => other.for(1, consumers[index % CONSUMERS] ?? null, []);
        })(),
      },
    ]),
  ),
);
await plane.close();
