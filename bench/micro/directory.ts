/**
 * Consumers with a key in the node's directory: octets of each, how long loading them takes and blocks, nanoseconds of a
 * look-up, and what a worker has of them: `node bench/micro/directory.ts [CONSUMERS]`.
 *
 * `hot` looks up a thousand keys again and again, whose rows stay decoded; `cold` takes random ones of all, as decoded
 * rows are bounded. Both find the credential by its key, then its consumer by id, as key-auth does.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, Worker } from 'node:worker_threads';
import { DIRECTORY_KINDS, type DirectoryEntities } from '../../src/entities/directory-kinds.ts';
import { DirectoryKeeper } from '../../src/control/directory-keeper.ts';
import { encodeImage } from '../../src/snapshot/image-encode.ts';
import { Directory } from '../../src/zone/directory/directory.ts';
import { DirectoryWriter } from '../../src/zone/directory/writer.ts';
import { micro, microTable } from '../support/micro.ts';

// For the worker whose heap is measured.
setFlagsFromString('--expose-gc');

const COUNT = Number(process.argv[2] ?? 100_000);
const HOT = 1000;

function digest(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function uuid(text: string): string {
  const hex = digest(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

const keyOf = (n: number): string => digest(`key ${n}`);

function image(): SharedArrayBuffer {
  const now = 1_790_000_000;
  const consumers: object[] = [];
  const keys: object[] = [];
  for (let n = 0; n < COUNT; n++) {
    const id = uuid(`consumer ${n}`);
    const username = `customer-${n}`;
    consumers.push({ id, username, custom_id: null, tags: null, created_at: now, updated_at: now });
    keys.push({
      id: uuid(`key ${n}`),
      created_at: now,
      consumer: { id },
      tags: null,
      key: keyOf(n),
      ttl: null,
    });
  }
  const entities = new Map([
    ['consumers', consumers],
    ['keyauth_credentials', keys],
  ]);
  return encodeImage(entities, { revision: 1, hash: '0'.repeat(32) });
}

/**
 * Runs a job on the main thread. Answers its time and the longest turn of the event loop meanwhile, milliseconds; in
 * brackets what they are of the thread's own processor time, which others on the machine do not lengthen.
 */
async function timed(job: () => Promise<void>): Promise<string> {
  const clocks = [() => performance.now(), () => threadTime()];
  const begun = clocks.map((clock) => clock());
  const last = [...begun];
  const longest = [0, 0];
  let running = true;
  const turn = (): void => {
    for (const [at, clock] of clocks.entries()) {
      longest[at] = Math.max(longest[at]!, clock() - last[at]!);
      last[at] = clock();
    }
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  await job();
  running = false;
  turn();
  const [wall, own] = clocks.map((clock, at) => (clock() - begun[at]!).toFixed(0));
  return `${wall} ms (${own}), longest turn ${longest[0]!.toFixed(1)} ms (${longest[1]!.toFixed(1)})`;
}

function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** MiB of heap that a thread has more, after it has looked up every key. */
async function workerHeap(writer: DirectoryWriter): Promise<number> {
  const feed = writer.open();
  const { port1, port2 } = new MessageChannel();
  const { control, port } = feed;
  const modules = ['zone/directory/directory.ts', 'entities/directory-kinds.ts'].map((path) =>
    JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href),
  );
  const code = `
    const { workerData: { feed, results, keys } } = require('node:worker_threads');
    (async () => {
      const [{ Directory }, { DIRECTORY_KINDS }] = await Promise.all([${modules.map((url) => `import(${url})`).join()}]);
      gc();
      const before = process.memoryUsage().heapUsed;
      const directory = new Directory(DIRECTORY_KINDS, feed);
      for (const key of keys) {
        directory.get('consumers', directory.find('keyauth_credentials', 'key', key).consumer.id);
      }
      gc();
      const bytes = process.memoryUsage().heapUsed - before;
      results.postMessage({ bytes, cached: directory.cached });
    })();`;
  const keys = Array.from({ length: COUNT }, (_, n) => keyOf(n));
  const worker = new Worker(code, {
    eval: true,
    workerData: { feed: { control, port }, results: port2, keys },
    transferList: [port, port2],
  });
  const [{ bytes }] = (await once(port1, 'message')) as [{ readonly bytes: number }];
  port1.close();
  await worker.terminate();
  feed.close();
  return bytes / 2 ** 20;
}

const configuration = image();
const writer = new DirectoryWriter(DIRECTORY_KINDS);
const keeper = new DirectoryKeeper(writer);
const directory = new Directory<DirectoryEntities>(DIRECTORY_KINDS, writer.open());

function authenticate(n: number): string | null {
  const credential = directory.find('keyauth_credentials', 'key', texts[n]!);
  if (credential === null) throw new Error(`key ${n} is not found`);
  return directory.get('consumers', credential.consumer.id)?.username ?? null;
}

console.log(`### ${COUNT.toLocaleString('en')} consumers with a key\n`);
console.log(`load: ${await timed(() => keeper.fromImage(configuration, null))}`);
console.log(`load the same again: ${await timed(() => keeper.fromImage(configuration, configuration))}`);
const { bytes, index_bytes: index, kinds } = writer.size;
console.log(`octets for each on the node: ${(bytes / COUNT).toFixed(0)}`);
console.log(`  rows: ${((kinds['consumers']?.bytes ?? 0) / COUNT).toFixed(0)} of the consumer,`);
console.log(
  `  ${((kinds['keyauth_credentials']?.bytes ?? 0) / COUNT).toFixed(0)} of the key; index ${(index / COUNT).toFixed(0)}`,
);
console.log(`heap of a worker that has used all: ${(await workerHeap(writer)).toFixed(1)} MiB\n`);
const texts = Array.from({ length: COUNT }, (_, n) => keyOf(n));
const scatter = (n: number): number => (Math.imul(n, 0x9e3779b1) >>> 0) % COUNT;
const changed = { id: uuid('changed'), username: 'x', custom_id: null, tags: null, created_at: 0 };
const results = micro([
  { name: 'key and consumer, hot', run: (n) => authenticate(n % HOT) },
  { name: 'key and consumer, cold', run: (n) => authenticate(scatter(n)) },
  { name: 'a key that is not there', run: (n) => directory.find('keyauth_credentials', 'key', `${n}`) },
  {
    name: 'a change, until it is seen',
    run(n) {
      writer.put('consumers', { ...changed, updated_at: n });
      return directory.get('consumers', changed.id);
    },
  },
]);
console.log(microTable('Look-ups', results));
process.exit();
