/** A service (Kong's `services`, reference §2.2) as it stands in a configuration: every field present, unset ones null. */
export interface Service {
  readonly id: string;
  readonly name: string | null;
  readonly retries: number;
  readonly protocol: 'http' | 'https' | 'tcp' | 'tls' | 'udp' | 'grpc' | 'grpcs' | 'tls_passthrough';
  readonly host: string;
  readonly port: number;
  readonly path: string | null;
  readonly connect_timeout: number;
  readonly write_timeout: number;
  readonly read_timeout: number;
  readonly tags: readonly string[] | null;
  readonly client_certificate: { readonly id: string } | null;
  readonly tls_verify: boolean | null;
  readonly tls_verify_depth: number | null;
  readonly ca_certificates: readonly string[] | null;
  readonly enabled: boolean;
  readonly created_at: number;
  readonly updated_at: number;
}
