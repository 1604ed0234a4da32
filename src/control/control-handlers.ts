/** What the control socket answers. */
import { formatListener } from '../settings/parse-listen.ts';
import type { Listener } from '../settings/settings.ts';
import type { ControlHandlers, ControlReply } from './control-socket.ts';
import type { Gateway } from './gateway.ts';
import { secretHandlers } from './secret-handlers.ts';
import { tokenHandlers } from './token-handlers.ts';
import { VERSION } from '../lib/version.ts';

/** Seconds, Kong's defaults for `kong quit`. */
const QUIT_TIMEOUT = 10;
const MAX_SECONDS = 86_400;

export function controlHandlers(gateway: Gateway): ControlHandlers {
  const { life, reloader } = gateway;
  return {
    ...tokenHandlers(gateway),
    ...secretHandlers(gateway),
    'GET /health': () => health(gateway),
    'POST /reload': async () => {
      if (life.state !== 'running') return notRunning(life.state);
      const result = await reloader.reload();
      if (!result.ok) {
        return { status: result.status, body: { message: result.message, errors: result.errors } };
      }
      const { message, revision, warnings } = result;
      return { status: 200, body: { message, revision, warnings } };
    },
    'POST /stop': () => {
      void life.stop(0);
      return { status: 202, body: { message: 'stopping' } };
    },
    'POST /quit': (body) => {
      const timeout = seconds(body['timeout'], QUIT_TIMEOUT);
      const wait = seconds(body['wait'], 0);
      void life.stop(timeout * 1000, wait * 1000);
      return { status: 202, body: { message: 'stopping gracefully' } };
    },
    'POST /reopen': async () => {
      await life.reopenLogs();
      return { status: 200, body: { message: 'log files are open again' } };
    },
  };
}

function notRunning(state: string): ControlReply {
  return { status: 503, body: { message: `the gateway is ${state}`, errors: [] } };
}

function health({ life, supervisor, reloader }: Gateway): ControlReply {
  const { proxy_listen, stream_listen, admin_listen, status_listen } = reloader.settings;
  return {
    status: 200,
    body: {
      status: life.state,
      pid: process.pid,
      version: VERSION,
      revision: supervisor.revision,
      workers: supervisor.report(),
      listeners: {
        proxy: addresses(proxy_listen),
        stream: addresses(stream_listen),
        admin: addresses(admin_listen),
        status: addresses(status_listen),
      },
    },
  };
}

function addresses(listeners: readonly Listener[]): string[] {
  return listeners.map((listener) => {
    const { ssl, udp } = listener;
    return `${formatListener(listener)}${ssl ? ' ssl' : ''}${udp ? ' udp' : ''}`;
  });
}

function seconds(value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= 0 && value <= MAX_SECONDS)) {
    throw new Error(`seconds must be a number from 0 to ${MAX_SECONDS}`);
  }
  return value;
}
