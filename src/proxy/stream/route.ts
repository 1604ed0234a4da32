/**
 * The route step of a stream. Plugins' preread phase runs behind it (`plugins.ts`): a stream whose route is known and whose
 * upstream is not asked yet.
 */
import type { ServiceTarget } from '../../snapshot/snapshot.ts';
import type { Stream } from './stream.ts';

/** Finds the route; null: there is none, and the stream has been refused. */
export function routeStream(stream: Stream): ServiceTarget | null {
  const { arrival, transport, serverName, context, snapshot } = stream;
  const route = snapshot.streams.match({
    transport,
    sni: serverName,
    srcIp: arrival.clientIp,
    srcPort: arrival.clientPort,
    dstIp: arrival.localIp,
    dstPort: context.publicPort(arrival.localPort),
  });
  stream.route = route;
  if (route === null) stream.refuse(500, 'stream_no_route', 'no Route found with those values');
  else if (route.broken !== null) stream.refuse(503, 'stream_broken', `the route is broken: ${route.broken}`);
  else if (route.service === null)
    stream.refuse(500, 'stream_no_service', 'no Service found with those values');
  else return route.service;
  return null;
}
