/** The library, as far as it is used: one socket, no reconnecting, no time-outs, no queue while there is no connection. */
import type { ConnectionOptions } from './connection.ts';
import type { RedisTarget } from '../../kit/redis.ts';

export interface RawClient {
  /** Called when the connection ends by itself. */
  onEnd: (error: unknown) => void;
  readonly ended: boolean;
  sendCommand(command: readonly string[]): Promise<unknown>;
  /** What the server itself said. */
  isErrorReply(error: unknown): boolean;
  destroy(): void;
}

/** Connected, and let in. @throws Error (rejection) what kept it from that */
export async function openClient(target: RedisTarget, options: ConnectionOptions): Promise<RawClient> {
  const { createClient, ErrorReply } = await import('@redis/client');
  const { host, port, timeout } = target;
  const name = options.resolver.peek(host) ?? (await options.resolver.resolve(host));
  const address = name.next();
  if (target.ssl && target.ssl_verify) options.trust();
  const place = { host: address.ip, port: address.port ?? port };
  const kept = { connectTimeout: timeout, reconnectStrategy: false } as const;
  const client = createClient({
    RESP: 2,
    disableClientInfo: true,
    disableOfflineQueue: true,
    database: target.database,
    ...(target.username === null || target.username === '' ? {} : { username: target.username }),
    ...(target.password === null || target.password === '' ? {} : { password: target.password }),
    // Zero: none of its own.
    commandOptions: { timeout: 0 },
    socket: target.ssl ? { ...place, ...kept, ...tlsOptions(target) } : { ...place, ...kept },
  });
  const raw: RawClient & { ended: boolean } = {
    onEnd: () => {},
    ended: false,
    sendCommand: (command) => client.sendCommand(command),
    isErrorReply: (error) => error instanceof ErrorReply,
    destroy: () => client.destroy(),
  };
  client.on('error', (error: unknown) => {
    raw.ended = true;
    raw.onEnd(error);
  });
  await connected(client, timeout);
  return raw;
}

function tlsOptions({ host, server_name: name, ssl_verify: verify }: RedisTarget): {
  tls: true;
  rejectUnauthorized: boolean;
  servername: string;
} {
  const { isIP } = process.getBuiltinModule('node:net');
  const asked = name ?? host;
  return { tls: true, rejectUnauthorized: verify, servername: isIP(asked) === 0 ? asked : '' };
}

/** The library bounds the connection, not what it says there first. */
async function connected(
  client: { connect(): Promise<unknown>; destroy(): void },
  timeout: number,
): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no connection in ${timeout} ms`)), timeout);
  try {
    await Promise.race([client.connect(), late.promise]);
  } catch (error) {
    client.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
