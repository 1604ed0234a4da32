/** A folder of TypeScript files becomes plugins: found, described, configured, run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sluice } from '../support/gateway.ts';
import { startEcho } from '../support/upstream.ts';
import { configWith, gatewayWith, getJson, headerPlugin, pluginFolder } from './support/folder.ts';

interface Root {
  readonly plugins: {
    readonly available_on_server: Readonly<Record<string, object>>;
    readonly enabled_in_cluster: string[];
  };
}

interface Schema {
  readonly fields: ReadonlyArray<{ readonly config?: { readonly fields: object[] } }>;
}

test('plugins of a folder are listed, described, validated and run, without a build', async () => {
  await using upstream = await startEcho();
  await using folder = await pluginFolder({
    'stamp.ts': headerPlugin('stamp', 'WORD', "import { WORD } from './_words.ts';"),
    '_words.ts': "export const WORD: string = 'word';\n",
    'tag/index.ts': headerPlugin('tag', "'tagged'"),
    'plain.js': headerPlugin('plain', "'js'").replace(': { prefix: string }', ''),
    'stamp.test.ts': 'throw new Error("a test is no plugin");\n',
    'notes/readme.md': 'no plugin\n',
  });
  const config = configWith(upstream.port, {
    '/a': [{ name: 'stamp', config: { prefix: 'p-' } }, { name: 'tag' }],
  });
  await using gateway = await gatewayWith(folder, config, { nginx_worker_processes: 2 });
  const response = await fetch(`${gateway.url}/a`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-stamp'), 'p-word');
  assert.equal(response.headers.get('x-tag'), '-tagged');

  const root = await getJson<Root>(gateway.adminUrl);
  assert.deepEqual(root.plugins.available_on_server['stamp'], { version: '1.2.3', priority: 10 });
  assert.deepEqual(root.plugins.enabled_in_cluster.sort(), ['stamp', 'tag']);
  const enabled = await getJson<{ enabled_plugins: string[] }>(`${gateway.adminUrl}/plugins/enabled`);
  assert.ok(['stamp', 'tag', 'plain'].every((name) => enabled.enabled_plugins.includes(name)));
  const schema = await getJson<Schema>(`${gateway.adminUrl}/schemas/plugins/stamp`);
  const fields = schema.fields.find((field) => field.config !== undefined)?.config?.fields;
  assert.deepEqual(fields, [{ prefix: { type: 'string', required: true, default: '-' } }]);

  const wrong = await gateway.postConfig(
    configWith(upstream.port, { '/a': [{ name: 'stamp', config: { prefix: 5 } }] }),
  );
  assert.equal(wrong.status, 400);
});

const BROKEN: ReadonlyArray<readonly [what: string, files: Readonly<Record<string, string>>, says: RegExp]> =
  [
    ['a syntax error', { 'bad.ts': 'export default {\n  name: ;\n};\n' }, /bad\.ts: line 2: /],
    [
      'an import that is not there',
      { 'bad.ts': "import './no.ts';\nexport default {};\n" },
      /bad\.ts: Cannot find module .*no\.ts/,
    ],
    ['an error while it is imported', { 'bad.ts': "throw new Error('not today');\n" }, /bad\.ts: not today/],
    ['no default export', { 'bad.ts': 'export const x = 1;\n' }, /bad\.ts: it has no default export/],
    [
      'another name',
      { 'bad.ts': headerPlugin('good', "''") },
      /bad\.ts: it calls itself 'good', and its file or folder 'bad'/,
    ],
    [
      'the name of one of ours',
      { 'key-auth.ts': headerPlugin('key-auth', "''") },
      /Sluice has a plugin 'key-auth'/,
    ],
    ['a name that is none', { 'Bad Name.ts': '' }, /'Bad Name' is no name of a plugin/],
    [
      'two of one name',
      { 'a.ts': headerPlugin('a', "''"), 'a/index.ts': headerPlugin('a', "''") },
      /is a plugin of that name, too/,
    ],
    [
      'no priority',
      { 'bad.ts': headerPlugin('bad', "''").replace('priority: 10,', '') },
      /priority \(nothing\) is no number/,
    ],
    [
      'a field of no type',
      { 'bad.ts': headerPlugin('bad', "''").replace("'string'", "'text'") },
      /config\.prefix: type 'text' is none of string/,
    ],
    [
      'a kind of entity that the gateway has',
      {
        'bad.ts': headerPlugin('bad', "''").replace(
          'priority: 10,',
          "priority: 10, entities: [{ name: 'services', fields: {} }],",
        ),
      },
      /bad\.ts: entities: services: the gateway has entities of this name: choose another/,
    ],
    [
      'two plugins that bring one kind',
      Object.fromEntries(
        ['a', 'b'].map((name) => [
          `${name}.ts`,
          headerPlugin(name, "''").replace(
            'priority: 10,',
            "priority: 10, entities: [{ name: 'plans', fields: {} }],",
          ),
        ]),
      ),
      /plugin b: entities: plans: plugin a has 'plans' already/,
    ],
  ];

for (const [what, files, says] of BROKEN) {
  test(`a folder with ${what} keeps the gateway from starting and says why`, async () => {
    await using folder = await pluginFolder(files);
    const env = {
      SLUICE_PLUGINS_DIR: folder.path,
      SLUICE_PROXY_LISTEN: 'off',
      SLUICE_ADMIN_LISTEN: 'off',
      SLUICE_STATUS_LISTEN: 'off',
    };
    const started = await sluice(['start', '-p', `${folder.path}/_prefix`], env);
    assert.equal(started.code, 1);
    assert.match(started.stderr, says);
    const checked = await sluice(['check'], env);
    assert.equal(checked.code, 1);
    assert.match(checked.stderr, says);
  });
}
