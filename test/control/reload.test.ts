/** Reload, with the stand-in data plane: all workers or none, and an answer that says which. */
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait.ts';
import { config, startStandIn } from './support/gateway.ts';

test('a reload answers when every worker serves the new revision', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  for (let revision = 2; revision < 6; revision++) {
    await writeFile(gateway.configFile, config(`/r${revision}`));
    const reply = await gateway.control('POST', '/reload');
    assert.deepEqual([reply.status, reply.body['revision']], [200, revision], JSON.stringify(reply));
    const answers = await gateway.askAll();
    assert.deepEqual([...new Set(answers.map((answer) => answer.revision))], [revision]);
  }
});

test('an invalid file changes nothing and every error is told', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  await writeFile(gateway.configFile, `${config('/one')}  retries: x\n  port: y\n`);
  const reply = await gateway.control('POST', '/reload');
  assert.equal(reply.status, 400);
  const errors = (reply.body['errors'] as string[]).join('\n');
  assert.match(errors, /kong\.yml:8:\d+: .*retries/);
  assert.match(errors, /kong\.yml:9:\d+: .*port/);
  assert.equal((await gateway.ask()).revision, 1);
  assert.match(await waitFor(async () => (await gateway.errorLog()).match(/retries.*/)?.[0]), /retries/);
});

test('an answer has all of many errors, the log the first of them', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const wrong = Array.from({ length: 30 }, (_, n) => `- name: s${n}\n  host: a\n  port: x\n`).join('');
  await writeFile(gateway.configFile, `${config('/one')}${wrong}`);
  const reply = await gateway.control('POST', '/reload');
  assert.equal((reply.body['errors'] as string[]).length, 30);
  const log = await waitFor(async () => /reload refused[^]*and \d+ more/.exec(await gateway.errorLog())?.[0]);
  assert.equal(log.match(/services\[\d+\]\.port/g)?.length, 20);
  assert.match(log, /and 10 more$/);
});

test('the same text is the same revision', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const reply = await gateway.control('POST', '/reload');
  assert.deepEqual([reply.status, reply.body['revision']], [200, 1]);
});

test('live settings take effect together with the configuration; others refuse all of it', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  await gateway.writeSettings({ log_level: 'info' });
  assert.equal((await gateway.control('POST', '/reload')).status, 200);
  assert.equal((await gateway.ask()).logLevel, 'info');

  await gateway.writeSettings({ log_level: 'warn', nginx_worker_processes: 3 });
  await writeFile(gateway.configFile, config('/two'));
  const reply = await gateway.control('POST', '/reload');
  assert.equal(reply.status, 400);
  assert.match(String(reply.body['message']), /^needs a restart: nginx_worker_processes changed/);
  const answer = await gateway.ask();
  assert.deepEqual([answer.logLevel, answer.revision], ['info', 1]);

  await gateway.writeSettings({ no_such_setting: 1 });
  const wrong = await gateway.control('POST', '/reload');
  assert.equal(wrong.status, 400);
  assert.match(String(wrong.body['errors']), /no_such_setting/);
});

test('an error template that cannot be used refuses the change', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const template = join(gateway.prefix, 'error.html');
  await gateway.writeSettings({ error_template_html: template });
  await writeFile(template, 'no place for the message');
  await writeFile(gateway.configFile, config('/two'));
  const reply = await gateway.control('POST', '/reload');
  assert.equal(reply.status, 400);
  assert.match(String(reply.body['message']), /^error_template_html = .*error\.html: /);
  assert.equal((await gateway.ask()).revision, 1);
  await writeFile(template, '%s %s');
  assert.equal((await gateway.control('POST', '/reload')).status, 200);
});

test('another router flavour is a new compilation of the same text', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  await gateway.writeSettings({ router_flavor: 'traditional' });
  const reply = await gateway.control('POST', '/reload');
  assert.deepEqual([reply.status, reply.body['revision']], [200, 2], JSON.stringify(reply));
});

test('SIGHUP reloads', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  await writeFile(gateway.configFile, config('/two'));
  gateway.child.kill('SIGHUP');
  await waitFor(async () => (await gateway.ask()).revision === 2);
});

test('SIGHUP while it starts reads the file once more', async () => {
  const paths = Array.from({ length: 20_000 }, (_, n) => `/r${n}`);
  await using gateway = await startStandIn({ config: config(...paths), unready: true });
  await waitFor(async () => (await gateway.health().catch(() => null)) !== null);
  // The old text is read by now, most likely, and not served yet; either way the new one must be what comes out.
  await delay(600);
  await writeFile(gateway.configFile, config('/two'));
  gateway.child.kill('SIGHUP');
  const served = async (): Promise<string> => {
    const response = await fetch(gateway.url('admin', '/config')).catch(() => null);
    return (await response?.text()) ?? '';
  };
  const text = await waitFor(
    async () => {
      const found = await served();
      return found.includes('rtwo') ? found : null;
    },
    // Compilations are nice, and so are those of `GET /config`: beside other tests they take their time.
    { timeout: 120_000 },
  );
  assert.doesNotMatch(text, /r19999/);
});

test('many reloads at once are one after the other, and none is lost', async () => {
  await using gateway = await startStandIn({ config: config('/one') });
  const replies = await Promise.all(
    Array.from({ length: 12 }, async (_, n) => {
      // Renamed, so that no reload finds another's half-written file.
      await writeFile(`${gateway.configFile}.${n}`, config(`/r${n}`));
      await rename(`${gateway.configFile}.${n}`, gateway.configFile);
      return await gateway.control('POST', '/reload');
    }),
  );
  assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
  const last = Math.max(...replies.map(({ body }) => Number(body['revision'])));
  const { workers } = await gateway.health();
  assert.deepEqual(
    workers.map(({ revision }) => revision),
    [last, last],
  );
});

test('a worker that does not take a revision in time is named, and takes it later', async () => {
  await using gateway = await startStandIn({ config: config('/one'), tuning: { prepareMs: 3000 } });
  const gate = gateway.gate();
  const blocked = gateway.ask(`/block?${gate.query}`);
  await waitFor(async () => (await gateway.counters())['total_requests'] === 1);
  await writeFile(gateway.configFile, config('/two'));
  const reply = await gateway.control('POST', '/reload');
  assert.equal(reply.status, 200);
  assert.match(String(reply.body['warnings']), /worker \d does not serve revision 2 yet/);
  const before = await gateway.health();
  assert.deepEqual(before.workers.map(({ state }) => state).sort(), ['lagging', 'running']);
  await gate.open();
  await blocked;
  await waitFor(async () => {
    const { workers } = await gateway.health();
    return workers.every(({ state, revision }) => state === 'running' && revision === 2);
  });
});
