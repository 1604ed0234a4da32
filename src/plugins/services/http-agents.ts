/** The connections of `HttpFetch`: an agent for each way to verify, made when it is first needed. */
import type http from 'node:http';
import type https from 'node:https';
import { readFileSync } from '../../lib/node-fs.ts';
import { ipFamily } from '../../lib/is-ip.ts';
import type { FetchOptions } from '../kit/services.ts';

/** PEM files; `system` stands for the authorities of the operating system. */
export type TrustedFiles = readonly string[];

/** Connections to one destination, kept ones of it, and all of the worker's. */
const BOUNDS = { maxSockets: 128, maxFreeSockets: 16, maxTotalSockets: 512 } as const;
/** Milliseconds that a connection is kept for the next request. */
const IDLE_MS = 30_000;

export class HttpAgents {
  readonly #trusted: TrustedFiles;
  #plain: http.Agent | null = null;
  #verifying: http.Agent | null = null;
  #trusting: http.Agent | null = null;

  constructor(trusted: TrustedFiles) {
    this.#trusted = trusted;
  }

  /** @throws Error when the authorities cannot be read, or what is asked for is no request. */
  request(
    secure: boolean,
    serverName: string,
    options: FetchOptions,
    init: https.RequestOptions,
  ): http.ClientRequest {
    if (!secure) {
      const plain = process.getBuiltinModule('node:http');
      this.#plain ??= new plain.Agent({ keepAlive: true, timeout: IDLE_MS, ...BOUNDS });
      return plain.request({ ...init, agent: this.#plain });
    }
    const secured = process.getBuiltinModule('node:https');
    const { tlsVerify = true, tls = {} } = options;
    const agent = tlsVerify
      ? (this.#verifying ??= this.#agent(true))
      : (this.#trusting ??= this.#agent(false));
    const { ca, cert, key, serverName: named = serverName } = tls;
    return secured.request({
      ...init,
      agent,
      // It is verified, too; a function of our own would keep connections from being used again. An address is its own name.
      servername: ipFamily(named) === 0 ? named : '',
      ...(ca === undefined ? {} : { ca: [...ca] }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    });
  }

  close(): void {
    for (const agent of [this.#plain, this.#verifying, this.#trusting]) agent?.destroy();
  }

  #agent(verify: boolean): https.Agent {
    if (verify) trust(this.#trusted);
    const { Agent } = process.getBuiltinModule('node:https');
    return new Agent({ keepAlive: true, timeout: IDLE_MS, rejectUnauthorized: verify, ...BOUNDS });
  }
}

/** Makes them the ones that OpenSSL takes in this thread where none are named, as those of upstreams are. */
export function trust(files: TrustedFiles): void {
  const tls = process.getBuiltinModule('node:tls');
  tls.setDefaultCACertificates(
    files.flatMap((file) =>
      file === 'system' ? tls.getCACertificates('system') : [readFileSync(file, 'utf8')],
    ),
  );
}
