/** What each field of upstreams and targets is for. */
import type { Texts } from './describe.ts';

const statuses = (what: string): string => `The response statuses that count as ${what}.`;
const count = (what: string, state: string): string =>
  `How many ${what} make a target ${state}; 0 never does.`;

/** The counters of a kind of health check. */
function counters(prefix: string, whose: string): Readonly<Record<string, string>> {
  return {
    [`${prefix}.type`]: `What a ${whose} check looks at: connections, or also the status of the response.`,
    [`${prefix}.healthy`]: 'When a target is taken for healthy again.',
    [`${prefix}.healthy.http_statuses`]: statuses('a success'),
    [`${prefix}.healthy.successes`]: count('successes', 'healthy'),
    [`${prefix}.unhealthy`]: 'When a target is taken for unhealthy.',
    [`${prefix}.unhealthy.http_statuses`]: statuses('a failure'),
    [`${prefix}.unhealthy.tcp_failures`]: count('failed connections', 'unhealthy'),
    [`${prefix}.unhealthy.timeouts`]: count('timeouts', 'unhealthy'),
    [`${prefix}.unhealthy.http_failures`]: count('failures by status', 'unhealthy'),
  };
}

export const UPSTREAM: Texts = {
  upstreams: {
    name: 'A unique host name, which services put into `host`.',
    algorithm: 'How a target is chosen for a request.',
    hash_on: 'What a consistent hash is made of.',
    hash_fallback: 'What the hash is made of when the request lacks the first.',
    hash_on_header: 'The header for `hash_on = header`.',
    hash_fallback_header: 'The header for `hash_fallback = header`.',
    hash_on_cookie:
      'The cookie for `hash_on` or `hash_fallback = cookie`; it is set when the request has none.',
    hash_on_cookie_path: 'The path of a cookie that is set.',
    hash_on_query_arg: 'The query argument for `hash_on = query_arg`.',
    hash_fallback_query_arg: 'The query argument for `hash_fallback = query_arg`.',
    hash_on_uri_capture: "The named group of the route's path for `hash_on = uri_capture`.",
    hash_fallback_uri_capture: "The named group of the route's path for `hash_fallback = uri_capture`.",
    slots: 'The size of the ring of consistent hashing.',
    healthchecks: 'How the health of targets is found out.',
    'healthchecks.active': 'Probes that are sent to targets.',
    'healthchecks.passive': 'What is learned from the traffic itself.',
    'healthchecks.threshold':
      'Percent of the weight that must be healthy, or the whole upstream counts as unhealthy.',
    'healthchecks.active.timeout': 'Seconds that a probe may take.',
    'healthchecks.active.concurrency': 'How many probes run at once.',
    'healthchecks.active.http_path': 'The path that probes ask for.',
    'healthchecks.active.https_sni': 'The server name of HTTPS probes.',
    'healthchecks.active.https_verify_certificate': 'Whether HTTPS probes verify the certificate.',
    'healthchecks.active.headers': 'Headers of probes, lists of values by name.',
    'healthchecks.active.healthy.interval': 'Seconds between probes of healthy targets; 0 sends none.',
    'healthchecks.active.unhealthy.interval': 'Seconds between probes of unhealthy targets; 0 sends none.',
    ...counters('healthchecks.active', 'active'),
    ...counters('healthchecks.passive', 'passive'),
    host_header: 'The Host that upstreams get, instead of the name of the target.',
    client_certificate: 'The certificate that is shown to TLS targets that ask for one.',
    use_srv_name: 'Whether a target that is an SRV record gets the name of the record as its Host.',
  },
  targets: {
    tags: 'Words to find and filter targets by. `priority:N` (0 to 99) says the group of the target: a group is used when none before it is left.',
    created_at: 'When the target was created, in Unix seconds with a fraction.',
    updated_at: 'When the target was last written, in Unix seconds with a fraction.',
    upstream: 'The upstream that the target belongs to.',
    target: 'A host name or an address with a port; the port is 8000 when not given.',
    weight: "The target's share among those of its upstream; 0 takes it out.",
  },
};
