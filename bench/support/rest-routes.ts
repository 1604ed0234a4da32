/**
 * Routes for benchmarks: the shape of a large REST API (609 routes, hundreds of them below one literal prefix), and
 * any number of routes over many hosts and prefixes. With each goes a request that it answers, whose variable
 * segments change, so that no cache of matches hides the cost.
 */

/** The fields of a Kong route that matter here. */
export interface PlainRoute {
  readonly name: string;
  readonly methods?: readonly string[];
  readonly hosts?: readonly string[];
  readonly paths: readonly string[];
}

export interface PlainRequest {
  readonly method: string;
  readonly path: string;
  /** Absent: any. */
  readonly host?: string;
  /** One more than all have. */
  readonly header?: readonly [name: string, value: string];
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const REPO_PARTS = [
  'actions', 'artifacts', 'assignees', 'autolinks', 'branches', 'check-runs', 'check-suites', 'checks',
  'code-scanning', 'codespaces', 'collaborators', 'comments', 'commits', 'compare', 'contents', 'contributors',
  'deployments', 'dispatches', 'environments', 'events', 'forks', 'hooks', 'import', 'invitations', 'issues', 'keys',
  'labels', 'languages', 'licence', 'merges', 'milestones', 'notifications', 'pages', 'projects', 'properties',
  'pulls', 'readme', 'releases', 'rulesets', 'secrets', 'stargazers', 'statuses', 'subscribers', 'tags', 'teams',
  'topics', 'traffic', 'transfer',
]; // prettier-ignore
const ORG_PARTS = [
  'members', 'teams', 'repos', 'hooks', 'invitations', 'packages', 'projects', 'blocks', 'events', 'migrations',
  'outside_collaborators', 'public_members', 'roles', 'rulesets', 'settings', 'audit',
]; // prettier-ignore
const USER_PARTS = [
  'emails',
  'followers',
  'following',
  'gpg_keys',
  'keys',
  'orgs',
  'repos',
  'starred',
  'subscriptions',
];
const TOP_PARTS = [
  'emojis',
  'feeds',
  'gitignore',
  'licenses',
  'markdown',
  'meta',
  'octocat',
  'rate_limit',
  'search',
  'zen',
];

/** Collections below a parent: list and create, one item (read, change, delete), and a list below the item. */
function collection(parent: string, part: string): string[] {
  return [`${parent}/${part}`, `${parent}/${part}/{id}`, `${parent}/${part}/{id}/history`];
}

/** Path templates with `{name}` for any segment and `{number}` for digits. */
function templates(): string[] {
  const repo = '/repos/{owner}/{repo}';
  return [
    ...TOP_PARTS.map((part) => `/${part}`),
    repo,
    ...REPO_PARTS.flatMap((part) => collection(repo, part)),
    ...ORG_PARTS.flatMap((part) => collection('/orgs/{org}', part)),
    ...USER_PARTS.flatMap((part) => [
      `/user/${part}`,
      `/users/{name}/${part}`,
      `/users/{name}/${part}/{number}`,
    ]),
    '/gists/{number}/comments',
  ];
}

function toPath(template: string): string {
  if (!template.includes('{')) return template;
  const pattern = template.replaceAll('{number}', '\\d+').replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  return `~${pattern}$`;
}

interface RestRoute {
  readonly route: PlainRoute;
  readonly template: string;
}

function restTable(count: number): RestRoute[] {
  const table: RestRoute[] = [];
  const all = templates();
  for (const methods of [['GET', 'HEAD'], ['POST'], ['PUT', 'PATCH'], ['DELETE']]) {
    for (const template of all) {
      if (table.length === count) return table;
      const name = `${methods[0]}${template.replaceAll(/\W+/g, '-')}`.toLowerCase();
      table.push({ route: { name, methods, paths: [toPath(template)] }, template });
    }
  }
  return table;
}

/** Number of operations of a well-known large REST API. */
export const REST_COUNT = 609;

const table = restTable(REST_COUNT);

/** 609 routes: plain prefixes and regex templates, each with its methods. */
export function restRoutes(): PlainRoute[] {
  return table.map(({ route }) => route);
}

/** A request that route i of `restRoutes` answers. @param rand uniform in [0, 1). */
export function requestFor(i: number, rand: () => number): PlainRequest {
  const { route, template } = table[i % table.length] ?? { route: { methods: ['GET'] }, template: '/' };
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    name === 'number' ? String(Math.floor(rand() * 1e6)) : `${name}${Math.floor(rand() * 1e6).toString(36)}`,
  );
  return { method: route.methods?.[0] ?? 'GET', path };
}

/** As many routes, spread over hosts, plain prefixes, methods and (every fourth) regex templates. */
export function manyRoutes(count: number): PlainRoute[] {
  return Array.from({ length: count }, (_, i) => manyRoute(i));
}

const ROUTES_PER_HOST = 25;

function manyRoute(i: number): PlainRoute {
  const hosts = i % 2 === 0 ? { hosts: [`api${Math.floor(i / ROUTES_PER_HOST)}.example.com`] } : {};
  const path = i % 4 === 3 ? `~/team${i}/(?<item>[^/]+)/v\\d+$` : `/team${i}/items`;
  return { name: `many-${i}`, methods: [METHODS[i % METHODS.length] ?? 'GET'], ...hosts, paths: [path] };
}

/** A request that route i of `manyRoutes` answers. */
export function manyRequestFor(i: number, rand: () => number): PlainRequest {
  const changing = Math.floor(rand() * 1e6).toString(36);
  const path = i % 4 === 3 ? `/team${i}/${changing}/v${i % 10}` : `/team${i}/items/${changing}`;
  const host = `api${Math.floor(i / ROUTES_PER_HOST)}.example.com`;
  return { method: METHODS[i % METHODS.length] ?? 'GET', path, host };
}
