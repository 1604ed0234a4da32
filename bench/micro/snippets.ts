/**
 * What a call of a snippet (pre-function, post-function) costs, in nanoseconds: `node bench/micro/snippets.ts`.
 *
 * The filter is called as the runner does, on an exchange that is made of maps; so these are the sandbox, the crossings and
 * the host's side of them. `native` is the filter of a plugin that does the same as the second snippet.
 */
import type { Exchange } from '../../src/plugins/kit/exchange.ts';
import type { PluginServices } from '../../src/plugins/kit/services.ts';
import { snippetFilters } from '../../src/plugins/pre-function/snippets.ts';
import { micro, microTable, type MicroCase } from '../support/micro.ts';

const HEADERS = new Map([
  ['host', 'a.test'],
  ['user-agent', 'curl/8.5.0'],
  ['x-api-version', '2'],
]);

const exchange = {
  request: { headers: HEADERS, method: 'GET', path: '/a/b', args: new Map([['x', ['1']]]) },
  upstreamRequest: { headers: HEADERS },
  shared: new Map<string, unknown>(),
} as unknown as Exchange;

const SNIPPETS: ReadonlyArray<readonly [name: string, source: string]> = [
  ['nothing', 'void 0'],
  [
    'reads a header, sets another',
    "kong.service.request.setHeader('x-version', kong.request.getHeader('x-api-version'))",
  ],
  [
    'the same under Kong’s names',
    "kong.service.request.set_header('x-version', kong.request.get_header('x-api-version'))",
  ],
  [
    'method, path, an argument, two headers',
    `if (kong.request.getMethod() === 'GET' && kong.request.getPath().startsWith('/a')) {
       kong.service.request.setHeader('x-one', kong.request.getQueryArg('x'))
       kong.service.request.setHeader('x-two', 'b')
     }`,
  ],
  ['a counter that it keeps', 'let n = 0; return () => { n++ }'],
  ['kong.ctx.shared', 'kong.ctx.shared.n = (kong.ctx.shared.n ?? 0) + 1'],
  ['a regular expression', "/^curl\\/(\\d+)/.exec(kong.request.getHeader('user-agent'))"],
  ['answers', "kong.response.exit(403, 'no')"],
];

const cases: MicroCase[] = SNIPPETS.map(([name, source]) => {
  const none = { certificate: [], rewrite: [], header_filter: [], body_filter: [], log: [] };
  const filters = snippetFilters({ ...none, access: [source] }, {} as PluginServices);
  return { name, run: () => filters.access?.(exchange) };
});
cases.push({
  name: 'native',
  run: () =>
    exchange.upstreamRequest.headers.set('x-version', exchange.request.headers.get('x-api-version') ?? ''),
});
console.log(microTable('A call of a snippet', micro(cases, { batches: 15 })));
