/** What every shared log must do, whatever it is made of and however it is reached. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { waitFor } from '../../support/wait.ts';
import { appendNext, change, commitOf, stateOf, type OpenLog } from './log.ts';

/** A log that keeps its last `keepCommits` commits; without content that a test relies on, perhaps with other. */
export type Opener = (options?: { keepCommits?: number }) => Promise<OpenLog>;

export function sharedLogContract(name: string, open: Opener): void {
  test(`${name}: what is appended is read back as it was`, async () => {
    await using log = await open();
    const base = await log.head();
    const first = commitOf(base + 1, [change('a', '{"n":1}'), change('ü\u{1F600}', '{"t":"\\u0000,\\"{}"}')]);
    const second = {
      ...commitOf(base + 2, [change('a', null, '{"n":1}')]),
      author: { name: null, source: 'cli', message: null },
    };
    assert.deepEqual(await log.append(first), { appended: true, head: base + 1 });
    assert.deepEqual(await log.append(second), { appended: true, head: base + 2 });
    assert.equal(await log.head(), base + 2);
    assert.deepEqual(await log.read(base, 10), [first, second]);
    assert.deepEqual(await log.read(base, 1), [first]);
    assert.deepEqual(await log.read(base + 1, 10), [second]);
    assert.deepEqual(await log.read(base + 2, 10), []);
    const { revision, entities } = await stateOf(log);
    assert.equal(revision, base + 2);
    assert.equal(entities.get('services ü\u{1F600}'), '{"t":"\\u0000,\\"{}"}');
    assert.equal(entities.has('services a'), false);
  });

  test(`${name}: a commit for another revision than the next is not appended`, async () => {
    await using log = await open();
    const head = await appendNext(log);
    for (const revision of [head, head + 2, 1]) {
      assert.deepEqual(await log.append(commitOf(revision)), { appended: false, head });
    }
    assert.equal(await log.head(), head);
  });

  test(`${name}: a commit is found by its uuid`, async () => {
    await using log = await open();
    const commit = commitOf((await log.head()) + 1);
    assert.equal(await log.find(commit.uuid), null);
    await log.append(commit);
    assert.equal(await log.find(commit.uuid), commit.revision);
    assert.equal(await log.find(randomUUID()), null);
  });

  test(`${name}: nobody's commit is lost among several who append`, async () => {
    await using one = await open();
    await using two = await open();
    const base = await one.head();
    const revisions = await Promise.all(
      [one, two, one, two].map(async (log, writer) => {
        const done: number[] = [];
        for (let n = 0; n < 8; n++) {
          done.push(await appendNext(log, [change(`w${writer}-${n}`, '{}')]));
        }
        return done;
      }),
    );
    const all = revisions.flat().toSorted((a, b) => a - b);
    assert.deepEqual(
      all,
      Array.from({ length: 32 }, (_, index) => base + 1 + index),
    );
    const commits = (await two.read(base, 100)) ?? [];
    for (const [writer, done] of revisions.entries()) {
      for (const [n, revision] of done.entries()) {
        assert.equal(commits[revision - base - 1]?.changes[0]?.id, `w${writer}-${n}`);
      }
    }
  });

  test(`${name}: a log that was shortened says so`, async () => {
    await using log = await open({ keepCommits: 3 });
    const base = await log.head();
    for (let n = 0; n < 8; n++) await appendNext(log);
    // Shortened behind the appends; each does it again.
    await waitFor(
      async () => {
        if ((await log.read(base, 10)) === null) return true;
        await appendNext(log);
        return false;
      },
      { what: 'the log to be shortened' },
    );
    const head = await log.head();
    const last = (await log.read(head - 3, 10)) ?? [];
    assert.deepEqual(
      last.map(({ revision, changes }) => [revision, changes.length]),
      [head - 2, head - 1, head].map((revision) => [revision, 1]),
    );
    const { revision, entities } = await stateOf(log);
    assert.equal(revision, head);
    assert.ok(entities.has(`services s${base + 1}`), 'the state holds what the log no longer does');
  });

  test(`${name}: a revision that has never been is not in the log`, async () => {
    await using log = await open();
    assert.equal(await log.read((await log.head()) + 5, 10), null);
  });

  test(`${name}: the state is of one revision, whatever happens meanwhile`, async () => {
    await using log = await open();
    await appendNext(
      log,
      Array.from({ length: 1200 }, (_, n) => change(`many-${n}`, '{"v":1}')),
    );
    const { revision, entities } = await log.state();
    let changed = false;
    const seen = new Map<string, string>();
    for await (const batch of entities) {
      for (const { id, text } of batch) seen.set(id, text);
      if (changed) continue;
      changed = true;
      await appendNext(
        log,
        Array.from({ length: 1200 }, (_, n) => change(`many-${n}`, n % 2 === 0 ? null : '{"v":2}')),
      );
    }
    assert.equal(await log.head(), revision + 1);
    for (let n = 0; n < 1200; n++) assert.equal(seen.get(`many-${n}`), '{"v":1}');
  });

  test(`${name}: an entity that one commit changes twice ends as it says last`, async () => {
    await using log = await open();
    await appendNext(log, [change('twice', '{"v":1}'), change('twice', '{"v":2}'), change('gone', '{}')]);
    await appendNext(log, [
      change('gone', '{}'),
      change('gone', null),
      change('twice', null),
      change('twice', '3'),
    ]);
    const { entities } = await stateOf(log);
    assert.equal(entities.get('services twice'), '3');
    assert.equal(entities.has('services gone'), false);
  });

  test(`${name}: who watches is told of the commits of others`, async () => {
    await using one = await open();
    await using two = await open();
    assert.equal(one.clusterId, two.clusterId);
    const heads: number[] = [];
    using _watch = two.watch({
      onHead: (head) => void heads.push(head),
      onReachable: () => assert.fail('reachable'),
    });
    for (let n = 0; n < 5; n++) {
      const revision = await appendNext(one);
      await waitFor(() => heads.at(-1) === revision, { what: `revision ${revision}` });
      await delay(20);
    }
  });

  test(`${name}: texts that a database may not like`, async () => {
    await using log = await open();
    const revision = (await log.head()) + 1;
    const author = { name: 'a\0b', source: "';--", message: '\u{D800} \\ \n {1,"2"} NULL' };
    await log.append({ ...commitOf(revision, [change('NULL', 'NULL'), change('', '"\\\\"')]), author });
    const [commit] = (await log.read(revision - 1, 1)) ?? [];
    assert.deepEqual(commit?.author, {
      name: 'a\u{FFFD}b',
      source: "';--",
      message: '\u{FFFD} \\ \n {1,"2"} NULL',
    });
    assert.deepEqual(
      commit?.changes.map(({ id, after }) => [id, after]),
      [
        ['NULL', 'NULL'],
        ['', '"\\\\"'],
      ],
    );
  });

  test(`${name}: after closing, everything says that it is closed`, async () => {
    const log = await open();
    const revision = (await log.head()) + 1;
    await log.close();
    await assert.rejects(log.head(), /closed/);
    await assert.rejects(log.append(commitOf(revision)), /closed/);
    await assert.rejects(log.state(), /closed/);
    await log.close();
  });
}
