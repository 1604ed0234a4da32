/**
 * Nanoseconds that plugins cost a request: the access phase with nothing in it, with key-auth and with basic-auth, each on a head
 * that is parsed anew and written into a buffer, so that the headers for the upstream are counted, too.
 *
 * `node bench/micro/auth.ts [CONSUMERS]`. `of 1,000` uses a thousand keys again and again, whose rows stay decoded; `any` takes
 * random ones of all.
 */
import { createHash } from 'node:crypto';
import { DIRECTORY_KINDS, type DirectoryEntities } from '../../src/entities/directory-kinds.ts';
import { hashSecret } from '../../src/lib/secret-hash.ts';
import type { PluginInstance } from '../../src/plugins/engine/instance.ts';
import type { PluginServices } from '../../src/plugins/kit/services.ts';
import { PluginSet } from '../../src/plugins/engine/plugin-set.ts';
import type { Exchange } from '../../src/proxy/exchange.ts';
import { PluginRun } from '../../src/proxy/plugins/run.ts';
import { FieldLines } from '../../src/wire/http1/field-lines.ts';
import { RequestHeadParser } from '../../src/wire/http1/head-parser.ts';
import { Directory } from '../../src/zone/directory/directory.ts';
import { DirectoryWriter } from '../../src/zone/directory/writer.ts';
import { pluginEntity } from '../../test/support/plugins.ts';
import { basicHeader, consumerOf, keyIdOf, keyOf, passwordOf } from '../contenders/auth-consumers.ts';
import { micro, microTable } from '../support/micro.ts';
import keyAuth from '../../src/plugins/key-auth/plugin.ts';
import basicAuth from '../../src/plugins/basic-auth/plugin.ts';

const COUNT = Number(process.argv[2] ?? 100_000);
const HOT = Math.min(1000, COUNT);
/** Heads that are prepared: more than decoded rows are kept. */
const HEADS = 50_000;
const LIMITS = { lineBytes: 8192, headBytes: 33_792, lines: 256 };

function head(line: string): Buffer {
  const lines = [
    'GET /v1/items/42 HTTP/1.1',
    'Host: api.example.com',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
    'Accept: application/json, text/plain, */*',
    'Accept-Language: en-US,en;q=0.9,de;q=0.8',
    'Accept-Encoding: gzip, deflate, br',
    'Cookie: session=abcdef0123456789abcdef0123456789; theme=dark; consent=1',
    'Referer: https://app.example.com/dashboard/items',
    'Origin: https://app.example.com',
    'Cache-Control: no-cache',
    'X-Requested-With: XMLHttpRequest',
    'Sec-Fetch-Mode: cors',
    line,
    '',
    '',
  ];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

const writer = new DirectoryWriter(DIRECTORY_KINDS);
const directory = new Directory<DirectoryEntities>(DIRECTORY_KINDS, writer.open());
const common = { tags: null, created_at: 1_790_000_000 };
for (let n = 0; n < COUNT; n++) {
  const id = consumerOf(n);
  writer.put('consumers', {
    id,
    username: `customer-${n}`,
    custom_id: null,
    updated_at: 1_790_000_000,
    ...common,
  });
  writer.put('keyauth_credentials', {
    id: keyIdOf(n),
    consumer: { id },
    key: keyOf(n),
    ttl: null,
    ...common,
  });
}
writer.put('basicauth_credentials', {
  id: keyIdOf(0),
  consumer: { id: consumerOf(0) },
  username: 'user-0',
  password: await hashSecret(passwordOf(0)),
  ...common,
});
writer.put('basicauth_credentials', {
  id: keyIdOf(1),
  consumer: { id: consumerOf(1) },
  username: 'user-1',
  password: createHash('sha1')
    .update(passwordOf(1) + consumerOf(1))
    .digest('hex'),
  ...common,
});

const services = { entities: directory, log: { error() {} } } as unknown as PluginServices;
const ROUTE = { id: consumerOf(-1), service: null };

async function planOf(definition: typeof keyAuth | typeof basicAuth | null) {
  const instances = new Map<string, PluginInstance>();
  if (definition !== null) {
    const entity = pluginEntity({ name: definition.name });
    const creator = definition as {
      create: (config: unknown, gateway: PluginServices) => PluginInstance['filters'];
    };
    const filters = creator.create(entity.config, services);
    instances.set(entity.id, {
      entity,
      priority: definition.priority,
      identifies: true,
      filters,
      broken: null,
    });
  }
  return new PluginSet(instances).planOf(ROUTE);
}

const out = Buffer.alloc(16_384);
const parser = new RequestHeadParser(new FieldLines(out), LIMITS);

/** One request through the access phase. */
function pass(bytes: Buffer, plan: Awaited<ReturnType<typeof planOf>> | null): number {
  parser.reset();
  parser.parse(bytes, 0, bytes.length);
  const headers = parser.fields;
  if (plan !== null) {
    const exchange = {
      request: { headers },
      context: { directory },
      method: 'GET',
      query: '',
      forward: null,
      responded: false,
      clientIp: '127.0.0.1',
      consumerId: null as string | null,
    };
    const run = new PluginRun(exchange as unknown as Exchange, plan);
    if (!run.start('access') || exchange.consumerId === null) throw new Error('it was not let in');
  }
  return headers.copyTo(out, 0);
}

const scattered = (n: number): number => (Math.imul(n, 0x9e3779b1) >>> 0) % COUNT;
const any = Array.from({ length: HEADS }, (_, n) => head(`apikey: ${keyOf(scattered(n))}`));
const hot = any.slice(0, HOT);
const strong = head(`Authorization: ${basicHeader(0)}`);
const old = head(`Authorization: ${basicHeader(1)}`);
const at = (heads: readonly Buffer[], n: number): Buffer => heads[n % heads.length] as Buffer;
const key = await planOf(keyAuth);
const basic = await planOf(basicAuth);

// The first time is verified in another thread.
parser.parse(strong, 0, strong.length);
await new Promise<void>((resolve) => {
  const exchange = {
    request: { headers: parser.fields },
    context: { directory, policy: {}, wheel: { arm() {}, remove() {} } },
    method: 'GET',
    query: '',
    forward: null,
    responded: false,
    clientIp: '',
    proceed: () => resolve(),
    fail: (error: Error) => {
      throw error;
    },
  };
  new PluginRun(exchange as unknown as Exchange, basic).start('access');
});

console.log(
  microTable(
    `Authentication, ${COUNT.toLocaleString('en')} consumers`,
    micro([
      { name: 'no plugin', run: (n) => pass(at(hot, n), null) },
      { name: 'no plugin, any head', run: (n) => pass(at(any, n), null) },
      { name: 'key-auth, of 1,000', run: (n) => pass(at(hot, n), key) },
      { name: 'key-auth, any', run: (n) => pass(at(any, n), key) },
      { name: 'basic-auth, argon2id verified before', run: () => pass(strong, basic) },
      { name: "basic-auth, Kong's SHA-1", run: () => pass(old, basic) },
    ]),
  ),
);
console.log(`octets for each consumer and key: ${(writer.size.bytes / COUNT).toFixed(0)}`);
process.exit();
