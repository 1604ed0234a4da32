/**
 * What many routes cost: the same load, spread over all routes and over changing path segments so that no cache of
 * matches can hide the cost, through a gateway with all routes and through one with a single route that takes
 * everything. nginx with one location is there for scale.
 */
import { nginx } from '../contenders/nginx.ts';
import { plainConfig, startSluice } from '../contenders/sluice.ts';
import { compare, report } from '../support/compare.ts';
import { writeRequests } from '../support/request-file.ts';
import { manyRouteSet, restRouteSet, type RouteSet } from '../support/route-sets.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';

/** Different requests in the file that the load goes through, at least: every route is asked for. */
const REQUESTS = 20_000;

async function runRoutes(context: Context, title: string, set: RouteSet): Promise<Report> {
  const { upstream, options, say } = context;
  const requests = await writeRequests(context, 'routes', set.requests(Math.max(REQUESTS, set.count)));
  const load = { requests, bodySize: 0, connections: 64 } as const;
  const upstreamPort = upstream.port;
  await using one = await startSluice({ config: plainConfig(upstreamPort) });
  await using many = await startSluice({ config: set.config(upstreamPort) });
  await using base = await nginx.start({ upstreamPort, accessLog: false });
  const rows = await compare(
    [
      { name: 'sluice, 1 route', running: one, load },
      { name: `sluice, ${set.count} routes`, running: many, load },
      { name: 'nginx, 1 location', running: base, load },
    ],
    options,
    say,
  );
  return report(title, rows);
}

export const routes609: Scenario = {
  name: 'routes-609',
  summary: 'the 609 routes of a large REST API, load over all of them, against 1 route',
  run: (context) => runRoutes(context, '609 routes', restRouteSet()),
};

export const routes100k: Scenario = {
  name: 'routes-100k',
  summary: '100,000 routes, load spread over them, against 1 route',
  run: (context) => runRoutes(context, '100,000 routes', manyRouteSet(100_000)),
};
