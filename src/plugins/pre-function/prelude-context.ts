/** What `kong` has besides requests and responses, in the sandbox. */
import type { Helpers, SandboxHost } from './prelude.ts';

export function kongContext(host: SandboxHost, { text, named }: Helpers) {
  const levels = ['debug', 'info', 'notice', 'warn', 'err', 'crit', 'alert', 'emerg'];
  const say =
    (level: string) =>
    (...values: unknown[]) =>
      host.log(level, values.map(String).join('').replaceAll('\0', ''));
  const log = Object.assign(say('notice'), Object.fromEntries(levels.map((level) => [level, say(level)])), {
    ...named(
      {
        inspect: (...values: unknown[]) =>
          host.log('debug', values.map((value) => JSON.stringify(value)).join(' ')),
        setSerializeValue: (key: unknown, value: unknown) =>
          host.set('log', JSON.stringify([text(key, 'the key'), value])),
      },
      ['serialize', 'deprecation'],
      'log',
    ),
  });
  const space = (name: string) =>
    new Proxy(Object.create(null), {
      get: (_, key) => {
        const json = typeof key === 'string' ? host.sharedGet(name, text(key, 'the key')) : null;
        return json === null ? undefined : JSON.parse(json);
      },
      set: (_, key, value: unknown) => {
        host.sharedSet(name, text(key, 'the key'), value === undefined ? 'null' : JSON.stringify(value));
        return true;
      },
      has: (_, key) => host.sharedGet(name, text(key, 'the key')) !== null,
      deleteProperty: (_, key) => {
        host.sharedSet(name, text(key, 'the key'), 'null');
        return true;
      },
    });
  return { log, ctx: { shared: space('shared'), plugin: space('plugin') } };
}

export function kongClient(host: SandboxHost, { text, named }: Helpers) {
  const fact = (name: string) => () => host.fact(name) ?? undefined;
  const json = (name: string) => (): unknown => JSON.parse(host.json(name, '')) ?? undefined;
  const tls = named(
    {
      getServerName: fact('serverName'),
      getVersion: fact('tlsVersion'),
      getClientVerify: fact('clientVerify'),
    },
    ['requestClientCertificate', 'disableSessionReuse', 'getFullClientCertificateChain', 'setClientVerify'],
    'client.tls',
  );
  const client = named(
    {
      getIp: fact('socketIp'),
      getForwardedIp: fact('ip'),
      getPort: fact('clientPort'),
      getForwardedPort: fact('clientPort'),
      getProtocol: fact('protocol'),
      getConsumer: json('consumer'),
      getCredential: json('credential'),
      getConsumerGroups: json('groups'),
      loadConsumer: (id: unknown, byUsername?: unknown): unknown =>
        JSON.parse(host.json(byUsername === true ? 'findConsumer' : 'loadConsumer', text(id, 'the id'))) ??
        undefined,
      authenticate: (consumer?: { id?: unknown } | null, credential?: { id?: unknown } | null) =>
        host.set('authenticated', JSON.stringify([consumer?.id ?? null, credential?.id ?? null])),
    },
    ['getConsumerGroup', 'setAuthenticatedConsumerGroup', 'setAuthenticatedConsumerGroups'],
    'client',
  );
  return { ...client, tls };
}

export function kongNode(host: SandboxHost, { named }: Helpers) {
  const fact = (name: string) => () => host.fact(name) ?? undefined;
  const json = (name: string) => (): unknown => JSON.parse(host.json(name, '')) ?? undefined;
  return {
    router: named({ getRoute: json('route'), getService: json('service') }),
    node: named({ getId: fact('nodeId'), getHostname: fact('hostname') }, ['getMemoryStats'], 'node'),
    plugin: named({ getId: fact('pluginId') }),
    nginx: named({ getSubsystem: () => 'http' }, ['getStatistics', 'getVar'], 'nginx'),
    cluster: named({}, ['getId'], 'cluster'),
    ip: named({}, ['isTrusted'], 'ip'),
    vault: named({}, ['get', 'isReference', 'parseReference', 'update', 'try'], 'vault'),
    telemetry: named({}, ['log'], 'telemetry'),
    tracing: named({}, ['startSpan', 'activeSpan', 'setActiveSpan'], 'tracing'),
  };
}
