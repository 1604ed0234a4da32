/** `/` (Admin API): what this node is. Kong's clients read `version` and `configuration.database`. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { formatAddress } from '../../settings/parse-listen.ts';
import type { Listener, Settings } from '../../settings/settings.ts';
import { SETTINGS } from '../../settings/table.ts';
import type { Gateway } from '../main.ts';
import { KONG_VERSION, VERSION } from '../../lib/version.ts';
import { type Methods, json } from './resource.ts';

export function root(gateway: Gateway): Methods {
  const nodeId = randomUUID();
  return {
    GET: () => {
      const { settings } = gateway.reloader;
      return json(200, {
        tagline: 'Welcome to kong',
        version: KONG_VERSION,
        edition: 'community',
        sluice_version: VERSION,
        hostname: hostname(),
        node_id: nodeId,
        timers: { running: 0, pending: 0 },
        plugins: { available_on_server: {}, enabled_in_cluster: [] },
        configuration: configuration(settings),
        pids: { master: process.pid, workers: gateway.supervisor.workers.map(() => process.pid) },
      });
    },
  };
}

/** Every setting, listeners as kong.conf writes them and, as Kong has it, once more as objects. */
function configuration(settings: Settings): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(settings) as [keyof Settings, unknown][]) {
    const unset = value === null || (Array.isArray(value) && value.length === 0);
    const hidden = SETTINGS[name].secret === true && !unset;
    shown[name] = hidden ? '******' : value instanceof Set ? [...(value as Set<unknown>)] : value;
  }
  for (const name of ['proxy', 'admin', 'status'] as const) {
    const listeners = settings[`${name}_listen`];
    shown[`${name}_listen`] = listeners.length === 0 ? ['off'] : listeners.map(listenText);
    shown[`${name}_listeners`] = listeners.map((listener) => ({
      ip: listener.host,
      port: listener.port,
      ssl: listener.ssl,
      http2: listener.http2,
      proxy_protocol: false,
      reuseport: listener.reuseport,
      backlog: listener.backlog,
      listener: listenText(listener),
    }));
  }
  return shown;
}

function listenText({ host, port, ssl, http2, reuseport, backlog }: Listener): string {
  const flags = [http2 && ' http2', ssl && ' ssl', reuseport && ' reuseport'].filter(
    (flag) => flag !== false,
  );
  return `${formatAddress(host, port)}${flags.join('')} backlog=${backlog}`;
}
