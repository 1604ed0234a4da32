import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Family, mergeReports, type MetricsReport, withoutGauges } from './families.ts';
import { prometheusText } from './prometheus-text.ts';
import { meanOf, quantileOf, Spread } from './spread.ts';

const counter = (value: number, label = 'x'): Family => ({
  name: 'c_total',
  help: 'Counts.',
  type: 'counter',
  labels: ['l'],
  series: [{ values: [label], value }],
});
const report = (...families: readonly Family[]): MetricsReport => ({ families, costs: [] });

test('a spread tells mean and percentiles within its bins, also when it is put together', () => {
  const [one, other] = [new Spread(), new Spread()];
  assert.deepEqual([meanOf(one), quantileOf(one, 0.99)], [0, 0]);
  for (let n = 1; n <= 1000; n++) (n % 2 === 0 ? one : other).add(n / 100);
  one.merge(other);
  assert.equal(one.samples, 1000);
  assert.ok(Math.abs(meanOf(one) - 5.005) < 1e-9);
  for (const [share, exact] of [
    [0.5, 5],
    [0.99, 9.9],
    [1, 10],
  ] as const) {
    const told = quantileOf(one, share);
    assert.ok(Math.abs(told / exact - 1) < 0.2, `${told} for ${exact}`);
  }
  const extremes = new Spread();
  for (const time of [0, 1e-9, 1e9]) extremes.add(time);
  assert.equal(extremes.samples, 3);
  assert.ok(quantileOf(extremes, 0.5) < 1e-3 && quantileOf(extremes, 1) > 10_000);
});

test('reports are added by name and labels; what does not fit is left out', () => {
  const strange: Family = { ...counter(5), type: 'gauge' };
  const { families } = mergeReports([
    report(counter(1), counter(2, 'y')),
    report(counter(3)),
    report(strange),
  ]);
  assert.equal(families.length, 1);
  assert.deepEqual(families[0]?.series, [
    { values: ['x'], value: 4 },
    { values: ['y'], value: 2 },
  ]);
  const histogram: Family = {
    name: 'h',
    help: '',
    type: 'histogram',
    labels: [],
    buckets: [1, 2],
    series: [{ values: [], value: 3, counts: [1, 0, 1] }],
  };
  const both = mergeReports([report(histogram), report(histogram)]);
  assert.deepEqual(both.families[0]?.series, [{ values: [], value: 6, counts: [2, 0, 2] }]);
  assert.deepEqual(histogram.series[0]?.counts, [1, 0, 1], 'as it was');
  assert.deepEqual(withoutGauges(report(counter(1), strange)).families, [counter(1)]);
});

test('costs are added by configuration', () => {
  const cost = (calls: number, time: number): MetricsReport['costs'][number] => {
    const spread = new Spread();
    spread.add(time);
    return { id: 'a', plugin: 'p', calls, failures: 1, synchronous: spread, waiting: new Spread() };
  };
  const { costs } = mergeReports([
    { families: [], costs: [cost(3, 1)] },
    { families: [], costs: [cost(4, 3)] },
  ]);
  assert.equal(costs.length, 1);
  assert.deepEqual([costs[0]?.calls, costs[0]?.failures, costs[0]?.synchronous.sum], [7, 2, 4]);
});

test('the text is that of Prometheus', () => {
  const text = prometheusText([
    { ...counter(1.5, 'a"b\\c\nd'), help: 'one\ntwo' },
    { name: 'g', help: 'G', type: 'gauge', labels: [], series: [{ values: [], value: -Infinity }] },
    {
      name: 'h',
      help: 'H',
      type: 'histogram',
      labels: ['l'],
      buckets: [0.5, 1],
      series: [{ values: ['x'], value: 4.25, counts: [2, 0, 1] }],
    },
  ]);
  assert.equal(
    text,
    `# HELP c_total one\\ntwo
# TYPE c_total counter
c_total{l="a\\"b\\\\c\\nd"} 1.5
# HELP g G
# TYPE g gauge
g -Inf
# HELP h H
# TYPE h histogram
h_bucket{l="x",le="0.5"} 2
h_bucket{l="x",le="1"} 2
h_bucket{l="x",le="+Inf"} 3
h_sum{l="x"} 4.25
h_count{l="x"} 3
`,
  );
  assert.equal(prometheusText([]), '');
});
