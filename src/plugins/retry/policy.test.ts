/** Which outcome is tried again, after how long, and who pays: one table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginEntity } from '../../../test/support/plugins.ts';
import { NO_RETRY, type TryOutcome } from '../kit/tries.ts';
import { askedDelay, Retries, type RetryConfig } from './policy.ts';

const NOW = Date.parse('Thu, 26 Nov 2026 10:00:00 GMT');

function made(config: object, spend = () => true): { policy: Retries; said: string[] } {
  const said: string[] = [];
  const { config: complete } = pluginEntity({ name: 'retry', config });
  const policy = new Retries(complete as unknown as RetryConfig, {
    request: () => said.push('request'),
    spend,
    counted: (reason) => said.push(reason),
    exhausted: () => said.push('exhausted'),
    random: () => 0.5,
    now: () => NOW,
  });
  return { policy, said };
}

const headers = (fields: Record<string, string>): TryOutcome['headers'] => ({ get: (name) => fields[name] });
const NOTHING = headers({});

function outcome(of: Partial<TryOutcome>): TryOutcome {
  const base = { method: 'GET', sent: true, retry: 1, failure: null, status: 0, bodiless: false };
  return { ...base, headers: of.failure == null ? NOTHING : null, ...of };
}

/** Back-off by default: half of 25 ms, rounded down. */
const YES = 12;
const CASES: ReadonlyArray<readonly [name: string, config: object, of: Partial<TryOutcome>, answer: number]> =
  [
    ['nothing is configured: a status', {}, { status: 503 }, NO_RETRY],
    ['a status that is named', { statuses: [503] }, { status: 503 }, YES],
    ['another', { statuses: [503] }, { status: 502 }, NO_RETRY],
    ['of a POST', { statuses: [503] }, { status: 503, method: 'POST' }, NO_RETRY],
    ['of a POST that is named', { statuses: [503], methods: ['POST'] }, { status: 503, method: 'POST' }, YES],
    ['of a GET when only POST is named', { statuses: [503], methods: ['POST'] }, { status: 503 }, NO_RETRY],
    ...(['PATCH', 'LOCK'] as const).map(
      (method) => [`of a ${method}`, { statuses: [503] }, { status: 503, method }, NO_RETRY] as const,
    ),
    ...(['PUT', 'DELETE', 'OPTIONS', 'HEAD', 'QUERY'] as const).map(
      (method) => [`of a ${method}`, { statuses: [503] }, { status: 503, method }, YES] as const,
    ),
    ...(['connect_failure', 'connect_timeout', 'timeout', 'reset', 'refused_stream'] as const).map(
      (failure) => [`by default: ${failure}`, {}, { failure }, YES] as const,
    ),
    ['by default: invalid_response', {}, { failure: 'invalid_response' }, NO_RETRY],
    ['invalid_response that is named', { on: ['invalid_response'] }, { failure: 'invalid_response' }, YES],
    ['a failure that is not named', { on: ['reset'] }, { failure: 'timeout' }, NO_RETRY],
    [
      'a connect time-out is a failure to connect',
      { on: ['connect_failure'] },
      { failure: 'connect_timeout' },
      YES,
    ],
    ['and a time-out', { on: ['timeout'] }, { failure: 'connect_timeout' }, YES],
    ['a reset of a POST that was sent', {}, { failure: 'reset', method: 'POST' }, NO_RETRY],
    ['that was not sent', {}, { failure: 'connect_failure', method: 'POST', sent: false }, YES],
    ['that the upstream has not begun', {}, { failure: 'refused_stream', method: 'POST' }, YES],
    ['that is named', { methods: ['POST'] }, { failure: 'reset', method: 'POST' }, YES],
    [
      'gRPC: a status, POST',
      { grpc_statuses: [14] },
      { status: 200, method: 'POST', bodiless: true, headers: headers({ 'grpc-status': '14' }) },
      YES,
    ],
    [
      'gRPC: another',
      { grpc_statuses: [14] },
      { status: 200, method: 'POST', bodiless: true, headers: headers({ 'grpc-status': '5' }) },
      NO_RETRY,
    ],
    ['gRPC: success', { grpc_statuses: [14] }, { status: 200, method: 'POST' }, NO_RETRY],
    [
      'gRPC: a head with a body behind',
      { grpc_statuses: [14] },
      { status: 200, headers: headers({ 'grpc-status': '14' }) },
      NO_RETRY,
    ],
    [
      'gRPC: not a number',
      { grpc_statuses: [14] },
      { status: 200, bodiless: true, headers: headers({ 'grpc-status': 'x' }) },
      NO_RETRY,
    ],
    ['back-off doubles', { statuses: [503] }, { status: 503, retry: 3 }, 50],
    ['up to its bound', { statuses: [503], backoff_max: 40 }, { status: 503, retry: 9 }, 20],
    ['or is none', { statuses: [503], backoff_base: 0 }, { status: 503, retry: 9 }, 0],
    [
      'Retry-After within the bound',
      { statuses: [503], retry_after_max: 3 },
      { status: 503, headers: headers({ 'retry-after': '2' }) },
      2000,
    ],
    ['beyond it', { statuses: [503] }, { status: 503, headers: headers({ 'retry-after': '2' }) }, NO_RETRY],
    [
      'that nobody looks at',
      { statuses: [503], retry_after_max: 0 },
      { status: 503, headers: headers({ 'retry-after': '2' }) },
      YES,
    ],
    ['Retry-After: 0', { statuses: [503] }, { status: 503, headers: headers({ 'retry-after': '0' }) }, YES],
  ];

for (const [name, config, of, answer] of CASES) {
  test(`retry policy: ${name}`, () => {
    const { policy, said } = made(config);
    assert.equal(policy.decide(outcome(of)), answer);
    assert.equal(said.length, answer === NO_RETRY ? 0 : 1);
  });
}

test('retry policy: the budget is asked last, and for what would be tried only', () => {
  let asked = 0;
  const { policy, said } = made({ statuses: [503] }, () => {
    asked++;
    return false;
  });
  policy.begin();
  assert.equal(policy.decide(outcome({ status: 404 })), NO_RETRY);
  assert.equal(asked, 0);
  assert.equal(policy.decide(outcome({ status: 503 })), NO_RETRY);
  assert.equal(asked, 1);
  assert.deepEqual(said, ['request', 'exhausted']);
});

const DELAYS: ReadonlyArray<readonly [fields: Record<string, string>, answer: number | null]> = [
  [{}, null],
  [{ 'retry-after': '120' }, 120_000],
  [{ 'retry-after': 'Thu, 26 Nov 2026 10:00:05 GMT' }, 5000],
  [{ 'retry-after': 'Thu, 26 Nov 2026 09:00:05 GMT' }, 0],
  [{ 'retry-after': 'soon' }, null],
  [{ 'retry-after': '-1' }, null],
  [{ 'retry-after': '1.5' }, null],
  [{ 'retry-after': '9'.repeat(30) }, Number('9'.repeat(30)) * 1000],
  [{ 'retry-after': '9'.repeat(400) }, Infinity],
  [{ 'grpc-retry-pushback-ms': '250' }, 250],
  [{ 'grpc-retry-pushback-ms': '-1' }, Infinity],
  [{ 'grpc-retry-pushback-ms': 'x', 'retry-after': '1' }, Infinity],
];

for (const [fields, answer] of DELAYS) {
  test(`delay that is asked for: ${JSON.stringify(fields)}`, () => {
    assert.equal(askedDelay({ get: (name) => fields[name] }, NOW), answer);
  });
}
