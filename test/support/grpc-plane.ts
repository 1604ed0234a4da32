/** A data plane with one gRPC route to one gRPC service. */
import { PROTOCOL_GRPC } from '../../src/snapshot/snapshot.ts';
import { startPlane, type PlaneOptions, type TestPlane } from './data-plane.ts';
import { freePort } from './ports.ts';

export async function grpcPlane(port: number, options: PlaneOptions = {}): Promise<TestPlane> {
  return startPlane(port, {
    ...options,
    settings: { proxy_listen: `127.0.0.1:${await freePort()} http2`, ...options.settings },
    route: { protocols: PROTOCOL_GRPC, ...options.route },
    service: { grpc: true, upstreamProtocol: 'h2', ...options.service },
  });
}
