/** The configuration of the control plane's benchmark, as lines of `POST /transactions`. */

export interface Size {
  readonly services: number;
  /** Each with a key. */
  readonly consumers: number;
}

/** Services with a route each, consumers with a key each; a service and its route share their number. */
export function* transactionLines({ services, consumers }: Size, upstreamPort: number): Generator<string> {
  const line = (kind: string, entity: object): string =>
    `${JSON.stringify({ op: 'create', kind, entity })}\n`;
  for (let n = 0; n < services; n++) {
    yield line('services', { name: `service-${n}`, host: '127.0.0.1', port: upstreamPort, tags: ['bench'] });
    const route = { name: `route-${n}`, paths: [`/p${n}`], service: { name: `service-${n}` } };
    yield line('routes', { ...route, strip_path: true });
  }
  for (let n = 0; n < consumers; n++) {
    yield line('consumers', { username: `consumer-${n}`, custom_id: `c${n}` });
    const key = `key-${n}-${((n * 2_654_435_761) % 4_294_967_296).toString(16)}`;
    yield line('keyauth_credentials', { key, consumer: { username: `consumer-${n}` } });
  }
}

/** The lines as one body. */
export function transactionBody(size: Size, upstreamPort: number): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = [];
  let part = '';
  for (const line of transactionLines(size, upstreamPort)) {
    part += line;
    if (part.length < 1 << 16) continue;
    parts.push(Buffer.from(part));
    part = '';
  }
  parts.push(Buffer.from(part));
  return new Uint8Array(Buffer.concat(parts));
}
