/**
 * What a policy that runs in the gateway costs a request, during which its worker does nothing else: `node
 * bench/micro/opa.ts`. `input` is what the plugin tells it; `allow` looks at the method, `decision` makes an object,
 * `slow` tries 90,000 products.
 */
import { readFileSync } from 'node:fs';
import { loadWasmPolicy } from '../../src/plugins/opa/wasm-policy.ts';

const wasm = readFileSync(new URL('../../test/plugins/opa/policy.wasm.gz', import.meta.url)).toString(
  'base64',
);
const input = {
  request: {
    http: {
      host: 'a.test',
      port: '8000',
      tls: {},
      method: 'GET',
      scheme: 'http',
      path: '/orders/7',
      querystring: { page: '2' },
      headers: { 'user-agent': 'curl/8.5.0', accept: '*/*', authorization: 'Bearer '.padEnd(600, 'x') },
    },
  },
  client_ip: '10.0.0.1',
};

for (const [entrypoint, rounds] of [
  ['gateway/allow', 20_000],
  ['gateway/decision', 20_000],
  ['gateway/slow', 1],
] as const) {
  const policy = await loadWasmPolicy({ wasm, entrypoint, data: null, memory: 64, steps: 2 ** 31 - 1 });
  for (let i = 0; i < rounds / 10; i++) policy.evaluate(input);
  const started = performance.now();
  for (let i = 0; i < rounds; i++) policy.evaluate(input);
  const each = ((performance.now() - started) * 1000) / rounds;
  console.log(`${entrypoint.padEnd(20)} ${each.toFixed(each < 1000 ? 1 : 0)} µs`);
}
