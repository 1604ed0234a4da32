/** What docs/reference/admin-api.md says beside the table of endpoints: notes, and endpoints that are not here. */

/** Endpoints that answer, and what to know of them. */
export const NOTES: ReadonlyMap<string, string> = new Map([
  ['/status', 'no `lua_shared_dicts`; adds `sluice`: revision, workers, broken routes'],
  ['/status/dns', 'answers 501, as Kong does with its older DNS client'],
  ['/timers', 'counts the timers of the main thread; they have no names'],
  ['/cache', 'every node has the whole configuration in memory, so there is nothing to forget'],
  ['/cache/{key}', 'finds nothing, for the same reason'],
  ['/debug/node/log-level/{level}', 'all logs of all threads; 405 without a database, as in Kong'],
  ['/debug/cluster/log-level/{level}', 'all nodes that share the database'],
  ['/clustering/data-planes', 'answers 400, as Kong does on a node that is no control plane'],
  ['/clustering/status', 'answers 400, as Kong does on a node that is no control plane'],
  [
    '/upstreams/{upstreams}/health',
    'what this node knows: HEALTHY, UNHEALTHY, HEALTHCHECKS_OFF or DNS_ERROR',
  ],
  ...['healthy', 'unhealthy'].flatMap((state) =>
    ['', '/{address}'].map((address): [string, string] => [
      `/upstreams/{upstreams}/targets/{targets}${address}/${state}`,
      'on this node; 400 without health checks, as in Kong, and 404 when it has no such address',
    ]),
  ),
  ['/schemas/plugins/{name}', 'plugins that exist here'],
  ['/schemas/filters/{name}', 'there are no filters'],
  ['/', '`lua_version` says that there is no Lua'],
]);

export interface Absent {
  readonly paths: readonly string[];
  readonly reason: string;
}

/** Of Kong's open source edition. */
export const NOT_YET: readonly Absent[] = [
  { paths: ['/sessions', '/sessions/{sessions}'], reason: 'comes with the plugin session' },
  {
    paths: ['/proxy-cache', '/proxy-cache/{key}', '/proxy-cache/{plugin}/caches/{key}'],
    reason: 'comes with the plugin proxy-cache',
  },
  {
    paths: ['/acme', '/acme/certificates', '/acme/certificates/{host}', '/acme_storage'],
    reason: 'comes with the plugin acme',
  },
  {
    paths: ['/debug/cluster/control-planes-nodes/log-level/{level}'],
    reason: 'only on a control plane of other nodes, which is not there yet',
  },
];

/** Of Kong Enterprise. */
export const ENTERPRISE: readonly Absent[] = [
  {
    paths: ['/workspaces', '/workspaces/{workspaces}', '/{workspace}/…'],
    reason: 'there is one workspace, `default`; tags tell teams apart',
  },
  {
    paths: ['/rbac/users', '/rbac/roles', '/rbac/roles/{roles}/endpoints', '/rbac/roles/{roles}/entities'],
    reason: 'access is by tokens with roles: `sluice admin token`',
  },
  { paths: ['/admins', '/auth', '/userinfo', '/groups'], reason: 'likewise' },
  {
    paths: ['/audit/requests', '/audit/objects'],
    reason: '`/revisions` has who changed what, and how to undo it',
  },
  { paths: ['/event-hooks'], reason: '`/events` streams every commit' },
  { paths: ['/licenses', '/license/report'], reason: 'there is no license to install' },
  {
    paths: ['/keyring', '/keyring/…'],
    reason: 'secrets at rest are encrypted with a key that the settings name',
  },
  {
    paths: ['/partials', '/partials/{partials}/links'],
    reason: 'not there: YAML anchors share configuration in files',
  },
  {
    paths: ['/consumer_groups/{consumer_groups}/overrides/plugins/rate-limiting-advanced'],
    reason: 'deprecated in Kong: scope a plugin to the group',
  },
  { paths: ['/custom-plugins'], reason: 'not there' },
  {
    paths: ['/developers', '/applications', '/application_instances', '/document_objects', '/files'],
    reason: 'there is no developer portal',
  },
  { paths: ['/vitals/…'], reason: 'metrics are for a time series database' },
  {
    paths: ['/degraphql_routes', '/graphql-rate-limiting-advanced/costs'],
    reason: 'their plugins are not there',
  },
];

/** The Status API, on `status_listen`. */
export const STATUS_API: ReadonlyArray<readonly [path: string, methods: string, state: string]> = [
  ['/status', 'GET', 'works'],
  ['/status/ready', 'GET POST', 'works'],
  ['/status/dns', 'GET', 'not there yet'],
  [
    '/metrics',
    'GET',
    'metrics of the health of targets, of plugins and what they cost; those of Kong come with its prometheus plugin',
  ],
  ['/upstreams/{upstreams}/health', 'GET', 'works without a database, as in Kong'],
  ['/upstreams/{upstreams}/targets', 'GET', 'likewise'],
  ['/upstreams/{upstreams}/targets/all', 'GET', 'likewise'],
  ['/upstreams/{upstreams}/targets/{targets}', 'GET', 'likewise'],
];
