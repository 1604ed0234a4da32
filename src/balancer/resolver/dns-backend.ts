/** Questions to name servers, one record type at a time: the interface that lookups are made on. */

export interface AddressRecord {
  readonly address: string;
  /** Seconds; of a chain of aliases the least. */
  readonly ttl: number;
}

export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  /** Seconds. */
  readonly ttl: number;
}

export interface AliasRecord {
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
}

/** Every method rejects with a `DnsError`; an answer may be empty all the same. */
export interface DnsBackend {
  addresses(name: string, family: 4 | 6): Promise<readonly AddressRecord[]>;
  services(name: string): Promise<readonly ServiceRecord[]>;
  aliases(name: string): Promise<readonly AliasRecord[]>;
  close(): void;
}
