import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { WorkerMetrics } from './metrics.ts';

const EXCHANGE = {} as Exchange;

test('metrics of a plugin are named and labelled by it, and shared by its configurations', () => {
  const metrics = new WorkerMetrics();
  const hits = metrics.of('my-plugin').counter('hits_total', 'Hits.', ['kind']);
  const again = metrics.of('my-plugin').counter('hits_total', 'Hits.', ['kind']);
  hits(1, ['a']);
  again(2, ['a']);
  hits(undefined, ['b']);
  metrics.of('other').gauge('size', 'Size.')(7);
  const time = metrics.of('other').histogram('time', 'Time.', [1, 2]);
  for (const value of [0.5, 1, 1.5, 9]) time(value);
  assert.deepEqual(
    metrics.report.families.map(({ name, series }) => [name].concat(series as never)),
    [
      [
        'sluice_plugin_my_plugin_hits_total',
        { values: ['my-plugin', 'a'], value: 3 },
        { values: ['my-plugin', 'b'], value: 1 },
      ],
      ['sluice_plugin_other_size', { values: ['other'], value: 7 }],
      ['sluice_plugin_other_time', { values: ['other'], value: 12, counts: [2, 1, 1] }],
    ],
  );
});

test('what is no metric is refused', () => {
  const metrics = new WorkerMetrics().of('p');
  const one = metrics.counter('one', '', ['a']);
  const wrong: ReadonlyArray<() => unknown> = [
    () => metrics.counter('a-b', ''),
    () => metrics.counter('', ''),
    () => metrics.counter('two', '', ['le']),
    () => metrics.counter('two', '', ['plugin']),
    () => metrics.counter('two', '', ['a', 'a']),
    () => metrics.gauge('one', '', ['a']),
    () => metrics.histogram('three', '', []),
    () => metrics.histogram('three', '', [2, 1]),
    () => one(1, []),
    () => one(-1, ['x']),
    () => one(Number.NaN, ['x']),
  ];
  for (const [at, make] of wrong.entries()) assert.throws(make, /Error/, `${at}`);
});

test('series and families of a plugin are bounded, and what is dropped is counted', () => {
  const metrics = new WorkerMetrics();
  const hits = metrics.of('greedy').counter('hits', '', ['who']);
  for (let n = 0; n < 1500; n++) hits(1, [`client ${n}`]);
  hits(1, ['client 0']);
  hits(1, ['x'.repeat(10_000)]);
  metrics.of('modest').counter('hits', '')();
  const { families } = metrics.report;
  const [greedy, modest, dropped] = families;
  assert.equal(greedy?.series.length, 1000);
  assert.equal(greedy.series[0]?.value, 2);
  assert.equal(modest?.series.length, 1);
  assert.deepEqual(dropped?.series, [{ values: ['greedy'], value: 501 }]);
  const many = metrics.of('many');
  assert.throws(() => {
    for (let n = 0; n < 1000; n++) many.counter(`m${n}`, '');
  }, /at most 100 metrics/);
});

test('every call is counted, each sixteenth of a filter is timed, and waiting is told apart', async () => {
  const metrics = new WorkerMetrics();
  const cost = metrics.join('id', 'p');
  const gates: Array<() => void> = [];
  const filters = cost.measured({
    access: () =>
      new Promise((resolve) => {
        gates.push(resolve);
      }),
    log: () => {
      throw new Error('no');
    },
    dispose: () => {
      gates.length = 0;
    },
  });
  assert.equal('rewrite' in filters, false);
  const pending = Array.from({ length: 33 }, () => filters.access?.(EXCHANGE));
  for (let n = 0; n < 5; n++) assert.throws(() => filters.log?.(EXCHANGE), /no/);
  let [report] = metrics.report.costs;
  assert.deepEqual([report?.calls, report?.synchronous.samples, report?.waiting.samples], [38, 4, 0]);
  for (const open of gates) open();
  for (const one of pending) await one;
  [report] = metrics.report.costs;
  assert.equal(report?.waiting.samples, 3);
  cost.failed();
  assert.equal(metrics.report.costs[0]?.failures, 1);
  await filters.dispose?.();
  assert.equal(gates.length, 0);
});

test('what a filter is given and answers stays as it is', () => {
  const reply = refuse(403);
  const plugin = {
    name: 'own',
    access(exchange: Exchange) {
      return this.name === 'own' && exchange === EXCHANGE ? reply : undefined;
    },
    bodyFilter: (_exchange: Exchange, chunk: Buffer, last: boolean) => (last ? chunk : undefined),
  };
  const filters = new WorkerMetrics().join('id', 'p').measured(plugin);
  const chunk = Buffer.from('x');
  for (let n = 0; n < 20; n++) {
    assert.equal(filters.access?.(EXCHANGE), reply);
    assert.equal(filters.bodyFilter?.(EXCHANGE, chunk, true), chunk);
    assert.equal(filters.bodyFilter?.(EXCHANGE, chunk, false), undefined);
  }
});

test('the cost of a configuration is kept while an instance takes the place of another', () => {
  const metrics = new WorkerMetrics();
  const one = metrics.join('id', 'p');
  void one.measured({ access: () => undefined }).access?.(EXCHANGE);
  const other = metrics.join('id', 'p');
  metrics.leave(one);
  void other.measured({ access: () => undefined }).access?.(EXCHANGE);
  assert.equal(metrics.report.costs[0]?.calls, 2);
  metrics.leave(other);
  assert.deepEqual(metrics.report.costs, []);
});
