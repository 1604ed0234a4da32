/** A real name server: dnsmasq on a port of 127.0.0.1, with records from its command line and a hosts file. */
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DnsClient } from '../../src/balancer/resolver/dns-client.ts';
import { Child } from './child.ts';
import { freePort } from './ports.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

export interface Dnsmasq extends AsyncDisposable {
  readonly port: number;
  /** For the setting `dns_resolver`. */
  readonly address: string;
  /** `TYPE name` of each query so far. */
  readonly asked: readonly string[];
  /** Replaces the lines of its hosts file, and waits until it serves `probe`. */
  hosts(lines: readonly string[], probe: string): Promise<void>;
}

/** @param records options without their dashes: `host-record=a.test,10.0.0.1`. Names below `test` are its own. */
export async function startDnsmasq(records: readonly string[]): Promise<Dnsmasq> {
  const folder = await tempDir();
  const port = await freePort();
  const file = join(folder.path, 'hosts');
  await writeFile(file, '127.0.0.1 ready.test\n');
  const options = [
    'keep-in-foreground',
    'no-resolv',
    'no-hosts',
    'no-daemon',
    'log-queries',
    'bind-interfaces',
    'listen-address=127.0.0.1',
    `port=${port}`,
    `addn-hosts=${file}`,
    `user=${userInfo().username}`,
    'conf-file=/dev/null',
    'local=/test/',
    ...records,
  ];
  const child = new Child(
    'dnsmasq',
    options.map((option) => `--${option}`),
    { env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } },
  );
  const client = new DnsClient({
    servers: [{ address: '127.0.0.1', port }],
    timeout: 1000,
    attempts: 1,
    rotate: false,
    now: () => performance.now(),
  });
  const knows = (name: string): Promise<boolean> =>
    client.addresses(name, 4).then(
      () => true,
      () => false,
    );
  const hosts = async (lines: readonly string[], probe: string): Promise<void> => {
    await writeFile(file, [...lines, ''].join('\n'));
    child.kill('SIGHUP');
    await waitFor(() => knows(probe), { what: `dnsmasq to know ${probe}: ${child.output}` });
  };
  // A signal before it listens would end it.
  await waitFor(() => knows('ready.test'), { what: `dnsmasq to answer: ${child.output}` });
  return {
    port,
    address: `127.0.0.1:${port}`,
    get asked() {
      return [...child.output.matchAll(/query\[(\w+)\] (\S+)/g)].map(([, type, name]) => `${type} ${name}`);
    },
    hosts,
    async [Symbol.asyncDispose]() {
      client.close();
      await child.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}
