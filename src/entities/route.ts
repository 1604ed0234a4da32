export type RouteProtocol = 'http' | 'https' | 'tcp' | 'tls' | 'udp' | 'tls_passthrough' | 'grpc' | 'grpcs';

/** A route (Kong's `routes`, reference §2.3) as it stands in a configuration: every field present, unset ones null. */
export interface Route {
  readonly id: string;
  readonly name: string | null;
  readonly protocols: readonly RouteProtocol[];
  readonly methods: readonly string[] | null;
  readonly hosts: readonly string[] | null;
  readonly paths: readonly string[] | null;
  readonly headers: Readonly<Record<string, readonly string[]>> | null;
  readonly snis: readonly string[] | null;
  readonly sources: ReadonlyArray<{ readonly ip: string | null; readonly port: number | null }> | null;
  readonly destinations: ReadonlyArray<{ readonly ip: string | null; readonly port: number | null }> | null;
  readonly regex_priority: number;
  readonly strip_path: boolean;
  readonly path_handling: 'v0' | 'v1';
  readonly preserve_host: boolean;
  readonly https_redirect_status_code: 426 | 301 | 302 | 307 | 308;
  readonly request_buffering: boolean;
  readonly response_buffering: boolean;
  readonly service: { readonly id: string } | null;
  readonly tags: readonly string[] | null;
  /** Only with `router_flavor = expressions`. */
  readonly expression?: string | null;
  readonly priority?: number;
  readonly created_at: number;
  readonly updated_at: number;
}
