/** A gateway under measurement: whatever it is, it forwards everything to one upstream and adds the same headers. */

export interface Running extends AsyncDisposable {
  readonly port: number;
  /** The root of its processes, whose CPU time and memory are taken together. */
  readonly pid: number;
}

/** Paths of PEM files. */
export interface BenchPair {
  readonly cert: string;
  readonly key: string;
}

export interface ContenderOptions {
  readonly upstreamPort: number;
  readonly accessLog: boolean;
  /** TLS on the listener, with this certificate. */
  readonly tls?: BenchPair | undefined;
}

export interface Contender {
  readonly name: string;
  start(options: ContenderOptions): Promise<Running>;
}
