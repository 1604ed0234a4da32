/** The connections of `HttpFetch`: an agent for each way to verify, made when it is first needed. */
import type { Agent, ClientRequest } from 'node:http';
import type { RequestOptions } from 'node:https';
import { readFileSync } from '../../lib/node-fs.ts';
import { ipFamily } from '../../lib/is-ip.ts';
import type { FetchOptions } from '../kit/services.ts';

/** PEM files; `system` stands for the authorities of the operating system. */
export type TrustedFiles = readonly string[];

type HttpModule = typeof import('node:http');
type HttpsModule = typeof import('node:https');

/** Connections to one destination, kept ones of it, and all of the worker's. */
const BOUNDS = { maxSockets: 128, maxFreeSockets: 16, maxTotalSockets: 512 } as const;
/** Milliseconds that a connection is kept for the next request. */
const IDLE_MS = 30_000;

export class HttpAgents {
  readonly #trusted: TrustedFiles;
  #plain: Agent | null = null;
  #verifying: Agent | null = null;
  #trusting: Agent | null = null;

  constructor(trusted: TrustedFiles) {
    this.#trusted = trusted;
  }

  /** @throws Error when the authorities cannot be read, or what is asked for is no request. */
  request(secure: boolean, serverName: string, options: FetchOptions, init: RequestOptions): ClientRequest {
    if (!secure) {
      const http: HttpModule = process.getBuiltinModule('node:http');
      this.#plain ??= new http.Agent({ keepAlive: true, timeout: IDLE_MS, ...BOUNDS });
      return http.request({ ...init, agent: this.#plain });
    }
    const https: HttpsModule = process.getBuiltinModule('node:https');
    const { tlsVerify = true, tls = {} } = options;
    const agent = tlsVerify
      ? (this.#verifying ??= this.#agent(https, true))
      : (this.#trusting ??= this.#agent(https, false));
    const { ca, cert, key, serverName: named = serverName } = tls;
    return https.request({
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

  #agent(https: HttpsModule, verify: boolean): Agent {
    if (verify) trust(this.#trusted);
    return new https.Agent({ keepAlive: true, timeout: IDLE_MS, rejectUnauthorized: verify, ...BOUNDS });
  }
}

/** Makes them the ones that OpenSSL takes in this thread where none are named, as those of upstreams are. */
function trust(files: TrustedFiles): void {
  const tls = process.getBuiltinModule('node:tls');
  tls.setDefaultCACertificates(
    files.flatMap((file) =>
      file === 'system' ? tls.getCACertificates('system') : [readFileSync(file, 'utf8')],
    ),
  );
}
