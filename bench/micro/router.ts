/**
 * Nanoseconds per match, by number and kind of routes: `node bench/micro/router.ts` (with `--expose-gc` also memory).
 *
 * Requests are prepared beforehand and spread over all routes in random order. Each figure is the best of several
 * rounds, since the machine is shared; every request must find a route, or the run fails.
 *
 * `hot` is a loop of nothing but matches. `cold` is what a gateway sees: before each match other memory is read, as
 * the rest of a request does, and the path is written anew; each match is timed alone, less what timing costs.
 */
import type { Route } from '../../src/entities/route.ts';
import { Router, type RouterInput } from '../../src/router/router.ts';
import {
  manyRequestFor,
  manyRoutes,
  type PlainRequest,
  type PlainRoute,
  requestFor,
  restRoutes,
} from '../support/rest-routes.ts';

const REQUESTS = 20_000;
const ROUNDS = 15;
const COLD_MATCHES = 6000;
/** Read a part at a time, in turn: as much as a request and its system calls touch, more than the second cache in a few. */
const other = new Uint8Array(8 << 20);
const PART = 512 << 10;
const LINE = 64;

let seed = 42;
function rand(): number {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
  return seed / 0x8000_0000;
}

function toRoute(plain: PlainRoute, i: number): Route {
  return {
    id: `00000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`,
    name: plain.name,
    protocols: ['http', 'https'],
    methods: plain.methods ?? null,
    hosts: plain.hosts ?? null,
    paths: plain.paths,
    headers: null,
    snis: null,
    sources: null,
    destinations: null,
    regex_priority: 0,
    strip_path: true,
    path_handling: 'v0',
    preserve_host: false,
    https_redirect_status_code: 426,
    request_buffering: true,
    response_buffering: true,
    service: null,
    tags: null,
    created_at: 0,
    updated_at: 0,
  };
}

class Input implements RouterInput {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly scheme = 'http';
  readonly port = 80;
  readonly query = '';
  readonly sni = '';
  readonly srcIp = '127.0.0.1';
  readonly srcPort = 1024;
  readonly dstIp = '127.0.0.1';
  readonly dstPort = 80;

  constructor(request: PlainRequest) {
    this.method = request.method;
    this.host = request.host ?? 'api.example.com';
    // Flat, as paths from the wire are.
    this.path = Buffer.from(request.path, 'latin1').toString('latin1');
  }

  headerValues(): readonly string[] {
    return [];
  }
}

function build(routes: readonly PlainRoute[]): Router<number> {
  const edit = Router.empty<number>('traditional_compatible').edit();
  for (const [i, route] of routes.entries()) edit.put(toRoute(route, i), i);
  return edit.commit();
}

function measure(label: string, routes: readonly PlainRoute[], request: (i: number) => PlainRequest): void {
  const before = process.memoryUsage().heapUsed;
  const started = performance.now();
  const router = build(routes);
  const built = performance.now() - started;
  globalThis.gc?.();
  const heap = (process.memoryUsage().heapUsed - before) / routes.length;
  const inputs = Array.from(
    { length: REQUESTS },
    () => new Input(request(Math.floor(rand() * routes.length))),
  );
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    for (const input of inputs) {
      const match = router.match(input);
      if (match === null) throw new Error(`no route for ${input.method} ${input.path}`);
    }
    best = Math.min(best, performance.now() - from);
  }
  const cold = measureCold(router, inputs) - measureCold(null, inputs);
  const edited = measureEdit(router, routes);
  const columns = [
    label.padEnd(34),
    `${((best * 1e6) / REQUESTS).toFixed(0).padStart(8)} ns hot`,
    `${cold.toFixed(0).padStart(6)} ns cold`,
    `${((built * 1e3) / routes.length).toFixed(1).padStart(8)} us/route to build`,
    `${edited.toFixed(1).padStart(8)} us to change one`,
    globalThis.gc === undefined || routes.length < 10_000 ? '' : `${heap.toFixed(0).padStart(6)} B/route`,
  ];
  console.log(columns.join('  '));
}

let evicted = 0;
let sum = 0;

function evict(): void {
  for (let i = 0; i < PART; i += LINE) sum += other[evicted + i] ?? 0;
  evicted = (evicted + PART) % other.length;
}

/** Mean without the slowest tenth, which something else interrupted. @param router null: what timing alone costs. */
function measureCold(router: Router<number> | null, inputs: readonly Input[]): number {
  const times = new Float64Array(COLD_MATCHES);
  for (let i = 0; i < COLD_MATCHES; i++) {
    const from = inputs[i % inputs.length];
    if (from === undefined) continue;
    evict();
    const input = new Input({ method: from.method, path: from.path, host: from.host });
    performance.now();
    const started = performance.now();
    if (router !== null) sum += router.match(input)?.value ?? 0;
    times[i] = performance.now() - started;
  }
  if (sum < 0) throw new Error('nothing was read');
  const kept = times.sort().subarray(0, COLD_MATCHES * 0.9);
  return (kept.reduce((total, time) => total + time, 0) * 1e6) / kept.length;
}

function measureEdit(router: Router<number>, routes: readonly PlainRoute[]): number {
  const rounds = 200;
  const started = performance.now();
  for (let round = 0; round < rounds; round++) {
    const i = Math.floor(rand() * routes.length);
    const route = routes[i];
    if (route === undefined) continue;
    const edit = router.edit();
    edit.put(toRoute({ ...route, paths: [`${route.paths[0]}x`] }, i), i);
    edit.commit();
  }
  return ((performance.now() - started) * 1e3) / rounds;
}

const rest = restRoutes();
const prefixless = Array.from({ length: 1000 }, (_, i) => ({
  name: `r${i}`,
  paths: [`~/.*/report${i}[a-z]?$`],
}));
const prefixed = manyRoutes(4000).filter((_, i) => i % 4 === 3);
const opaque = Array.from({ length: 1000 }, (_, i) => ({
  name: `r${i}`,
  paths: [`~/.*[/][${'abc'[i % 3]}]${i}[a-z]?$`],
}));

measure('1 route', [{ name: 'all', paths: ['/'] }], (i) => requestFor(i, rand));
measure('609 routes, REST API', rest, (i) => requestFor(i, rand));
// Of one kind, so that their number is all that differs: a host and a path, or a path alone.
const plain = (count: number): PlainRoute[] =>
  manyRoutes(count * 2)
    .filter((_, i) => i % 4 !== 3)
    .slice(0, count);
const plainRequest = (i: number): PlainRequest => manyRequestFor(Math.floor(i / 3) * 4 + (i % 3), rand);
for (const count of [10, 1000, 100_000])
  measure(`${count.toLocaleString('en')} plain routes`, plain(count), plainRequest);
measure('100,000 routes, a quarter regexes', manyRoutes(100_000), (i) => manyRequestFor(i, rand));
measure('1,000 regexes with a prefix', prefixed, (i) => manyRequestFor(i * 4 + 3, rand));
measure('1,000 regexes, no prefix', prefixless, (i) => ({ method: 'GET', path: `/a/b/report${i}` }));
measure('1,000 regexes, no prefix, no text', opaque, (i) => ({
  method: 'GET',
  path: `/x/y/${'abc'[i % 3]}${i}`,
}));
