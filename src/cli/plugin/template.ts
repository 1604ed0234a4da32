/** What `sluice plugin new` writes. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function pluginText(name: string): string {
  return `/** ${name}: greets the upstream and the client. How plugins are written: docs/guide/plugins-writing.md of Sluice. */
import { definePlugin, refuse } from 'sluice/plugin';

export default definePlugin({
  name: '${name}',
  // From the highest to the lowest; plugins that authenticate have 1000 and more.
  priority: 900,
  version: '0.1.0',
  description: 'Greets the upstream and the client.',
  config: {
    greeting: {
      type: 'string',
      required: true,
      default: 'hello',
      description: 'What is said.',
    },
    refuse_bots: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether clients that call themselves bots are answered 403.',
    },
  },
  // Once for each configuration, in each worker. What it answers runs on requests.
  create(config, gateway) {
    gateway.log.debug(\`greets with '\${config.greeting}'\`);
    return {
      access(exchange) {
        const agent = exchange.request.headers.get('User-Agent') ?? '';
        if (config.refuse_bots && /bot/i.test(agent)) return refuse(403, 'no bots here');
        exchange.upstreamRequest.headers.set('X-Greeting', config.greeting);
      },
      headerFilter(exchange) {
        exchange.response.headers.set('X-Greeting', config.greeting);
      },
    };
  },
});
`;
}

export function testText(name: string): string {
  return `/** Run it with \`sluice plugin test\`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from 'sluice/plugin-testing';

test('greets the upstream and the client', async () => {
  await using gateway = await startGateway({ plugins: [{ name: '${name}', config: { greeting: 'good day' } }] });
  const response = await gateway.request('/');
  assert.equal(response.status, 200);
  assert.equal(response.headers['x-greeting'], 'good day');
  assert.equal(gateway.upstreamRequests[0]?.headers['x-greeting'], 'good day');
});

test('refuses bots when it is told to', async () => {
  await using gateway = await startGateway({ plugins: [{ name: '${name}', config: { refuse_bots: true } }] });
  const response = await gateway.request('/', { headers: { 'User-Agent': 'a-bot/1.0' } });
  assert.equal(response.status, 403);
  assert.equal(gateway.upstreamRequests.length, 0);
});
`;
}

/** For editors: where the types are, without an installation in the folder. */
export function tsconfigText(): string {
  const from = import.meta.url;
  const ending = from.endsWith('.ts') ? '.ts' : '.d.ts';
  const at = (path: string): string => fileURLToPath(new URL(path, from));
  const nodeTypes = at('../../../node_modules/@types');
  const options = {
    target: 'esnext',
    module: 'preserve',
    moduleDetection: 'force',
    strict: true,
    noEmit: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    types: ['node'],
    ...(existsSync(nodeTypes) ? { typeRoots: ['./node_modules/@types', nodeTypes] } : {}),
    paths: {
      'sluice/plugin': [at(`../../plugins/public${ending}`)],
      'sluice/plugin-testing': [at(`../plugin-testing${ending}`)],
    },
  };
  return `${JSON.stringify({ compilerOptions: options, include: ['**/*.ts'] }, null, 2)}\n`;
}
