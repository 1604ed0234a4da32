/** Plugins for `kong-pdk` in `plugins_dir`, as they are: CommonJS with what it requires. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { applyFolder } from '../../src/plugins/users/bundle.ts';
import { startPlane } from '../support/data-plane.ts';
import { pluginEntity } from '../support/plugins.ts';
import { rawRequest } from '../support/raw-client.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/kong-pdk');

const INDEX = `'use strict'
const { readFileSync } = require('fs')
const words = require('./words')
const { join } = require('node:path')

class Speaker {
  constructor(config) {
    this.config = config
    this.text = words.join(require('./words/list.json'))
  }
  async access(kong) {
    await kong.response.setHeader('x-words', this.text + (this.config.loud ? '!' : ''))
    await kong.response.setHeader('x-length', readFileSync(join(__dirname, 'package.json')).length)
  }
}

module.exports = { Plugin: Speaker, Schema: [{ loud: { type: 'boolean', default: true } }], Version: '1.0.0', Priority: 5 }
`;

test('a folder of plugins for kong-pdk', async () => {
  await using folder = await tempDir();
  for (const name of ['greeter', 'members-only'])
    cpSync(join(FIXTURES, `${name}.js`), join(folder.path, `${name}.js`));
  const speaker = join(folder.path, 'speaker');
  mkdirSync(join(speaker, 'words'), { recursive: true });
  writeFileSync(join(speaker, 'package.json'), '{ "name": "speaker" }');
  writeFileSync(join(speaker, 'index.js'), INDEX);
  writeFileSync(join(speaker, 'words/index.js'), "exports.join = (list) => list.join(' ')\n");
  writeFileSync(join(speaker, 'words/list.json'), '["in", "process"]');
  assert.deepEqual(await applyFolder(folder.path), ['greeter', 'members-only', 'speaker']);

  await using upstream = await startEcho();
  await using plane = await startPlane(upstream.port, {
    plugins: [
      { name: 'greeter', config: { message: 'salve' } },
      { name: 'speaker' },
      { name: 'members-only' },
    ],
  });
  const { responses } = await rawRequest(plane.port, 'GET / HTTP/1.1\r\nHost: a.test\r\nX-User: u\r\n\r\n');
  const [response] = responses;
  const headers = new Map(response?.headers.map(([name, value]) => [name.toLowerCase(), value]));
  assert.equal(response?.status, 200);
  assert.equal(headers.get('x-words'), 'in process!');
  assert.equal(headers.get('x-length'), '21');
  assert.equal(headers.get('x-greeting'), 'salve a.test');
  assert.throws(() => pluginEntity({ name: 'speaker', config: { louder: true } }), /unknown field/);
});

test('what is wrong with one is said with its file', async () => {
  const cases: ReadonlyArray<readonly [text: string, message: RegExp]> = [
    ['module.exports = { Plugin: class {} }', /broken-\d\.js: class Plugin has none of the methods/],
    [
      "module.exports = { Plugin: class { access() {} }, Schema: [{ a: { type: 'x' } }] }",
      /Schema\.a: type "x"/,
    ],
    ["module.exports = { Plugin: class { access() {} }, Name: 'other' }", /it calls itself 'other'/],
    ['module.exports = { Plugin: class { access( {} }', /broken-\d\.js: (?:line \d+: )?\S/],
    ["require('./nothing-here')", /nothing-here/],
    ['module.exports = 1', /no default export/],
  ];
  for (const [index, [text, message]] of cases.entries()) {
    await using folder = await tempDir();
    writeFileSync(join(folder.path, `broken-${index}.js`), text);
    await assert.rejects(applyFolder(folder.path), message, text);
  }
});
