/** Endpoints of what is off in this node's role, in Kong's words for that. */
import { type Methods, json } from './resource.ts';

/** `/clustering/*`: this is no control plane of other nodes. */
export function clustering(): Methods {
  const message =
    'this endpoint is only available when Kong is configured to run as Control Plane for the cluster';
  return { GET: () => json(400, { message }) };
}

/** `/status/dns` */
export function dnsStatistics(): Methods {
  return { GET: () => json(501, { message: 'not implemented with the legacy DNS client' }) };
}

/** Nobody indexes an admin API. */
export function robots(): Methods {
  return {
    GET: () => new Response('User-agent: *\nDisallow: /', { headers: { 'content-type': 'text/plain' } }),
  };
}
