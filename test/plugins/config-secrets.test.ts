/** Vault references in configurations of plugins, on a whole gateway: resolved for `create`, renewed, and never told. */
import assert from 'node:assert/strict';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startEcho } from '../support/upstream.ts';
import { waitFor } from '../support/wait.ts';

const PLUGIN = `
import { definePlugin } from 'sluice/plugin';
let made = 0;
export default definePlugin({
  name: 'teller',
  priority: 10,
  config: {
    token: { type: 'string', required: true, referenceable: true, secret: true },
    plain: { type: 'string' },
    list: { type: 'array', elements: { type: 'string', referenceable: true } },
    inner: { type: 'record', fields: { deep: { type: 'string', referenceable: true } } },
  },
  create({ token, plain, list, inner }, gateway) {
    if (token.startsWith('bad')) throw new Error('no good: ' + token);
    const generation = String(++made);
    return {
      headerFilter({ response }) {
        response.headers.set('x-config', JSON.stringify({ token, plain, list, deep: inner?.deep ?? null }));
        response.headers.set('x-generation', generation);
        response.headers.set('x-entity', String(gateway.plugin.config.token));
      },
    };
  },
});
`;

const REFERENCE = '{vault://file/token?ttl=0.1&neg_ttl=0.1}';

test('a secret of a configuration is resolved, and followed when it changes', async () => {
  await using folder = await tempDir();
  const [plugins, vault] = [join(folder.path, 'plugins'), join(folder.path, 'vault')];
  await Promise.all([mkdir(plugins), mkdir(vault)]);
  await writeFile(join(plugins, 'teller.ts'), PLUGIN);
  const keep = async (secret: string): Promise<void> => {
    await writeFile(join(vault, 'next'), secret);
    await rename(join(vault, 'next'), join(vault, 'token'));
  };
  await using upstream = await startEcho();
  const config = {
    token: REFERENCE,
    plain: REFERENCE,
    list: ['a', REFERENCE],
    inner: { deep: REFERENCE },
  };
  await using gateway = await startGateway({
    settings: { plugins_dir: plugins, vault_file_base: vault, nginx_worker_processes: 2 },
    config: {
      _format_version: '3.0',
      services: [
        {
          name: 's',
          url: upstream.url,
          routes: [
            { name: 'r', paths: ['/r'], plugins: [{ name: 'teller', config }] },
            { name: 'free', paths: ['/free'] },
          ],
        },
      ],
    },
  });
  const ask = async (): Promise<{
    status: number;
    config: Record<string, unknown>;
    entity: string | null;
  }> => {
    const { status, headers } = await fetch(`${gateway.url}/r`, { headers: { connection: 'close' } });
    const told = JSON.parse(headers.get('x-config') ?? '{}') as Record<string, unknown>;
    return { status, config: told, entity: headers.get('x-entity') };
  };
  assert.equal((await ask()).status, 500, 'there is no secret yet');
  assert.equal((await fetch(`${gateway.url}/free`)).status, 200);
  await waitFor(async () => /plugin teller .*there is no file token/.test(await gateway.logs()), {
    what: 'the reason in the log',
  });
  const served = async (token: string): Promise<void> => {
    // Each worker for itself.
    for (let inRow = 0; inRow < 8; inRow++) {
      const { config } = await waitFor(async () => {
        const answer = await ask();
        return answer.config['token'] === token ? answer : ((inRow = 0), null);
      });
      assert.deepEqual(config, { token, plain: REFERENCE, list: ['a', token], deep: token });
    }
  };
  await keep('first-secret');
  await served('first-secret');
  await keep('second-secret');
  await served('second-secret');
  assert.equal((await ask()).entity, REFERENCE, 'the entity stays as it was written');
  // What cannot be used does not take the place of what can.
  await keep('bad-secret');
  await waitFor(async () => (await gateway.logs()).includes('no good: '));
  assert.equal((await ask()).config['token'], 'second-secret');
  await keep('third-secret');
  await served('third-secret');
  assert.doesNotMatch(await gateway.logs(), /-secret/);
});
