/** `/plugins-api/circuit-breaker/circuits`: what is open on this node; and by hand open, or closed and as new. */
import type { HeldCircuit } from '../../zone/circuits/node-circuits.ts';
import { KIND_NAMES, openingsOf } from '../../zone/circuits/word.ts';
import type { AdminEndpoint, EndpointHandler, EndpointServices } from '../kit/endpoints.ts';
import { refuse, reply, type Reply } from '../kit/reply.ts';
import { parseName, SCOPE } from './names.ts';

const DEFAULT_SIZE = 100;
const MAX_SIZE = 1000;

const NOT_FOUND = 'Not found';

export const adminEndpoints: readonly AdminEndpoint[] = [
  { path: '/circuits', methods: { GET: list } },
  { path: '/circuits/{id}', methods: { GET: show } },
  { path: '/circuits/{id}/open', methods: { PUT: forcing(3) } },
  { path: '/circuits/{id}/reset', methods: { PUT: forcing(0) } },
];

function list({ query }: Parameters<EndpointHandler>[0], services: EndpointServices): Reply {
  const size = Number(query.get('size') ?? DEFAULT_SIZE);
  const offset = Number(query.get('offset') ?? 0);
  const state = query.get('state');
  if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE) return refuse(400, `size is 1 to ${MAX_SIZE}`);
  if (!Number.isInteger(offset) || offset < 0) return refuse(400, 'offset is a number');
  if (state !== null && !KIND_NAMES.some((name) => name === state))
    return refuse(400, `state is one of ${KIND_NAMES.join(', ')}`);
  const found = [...held(services)]
    .map(shown)
    .filter((one) => state === null || one.state === state)
    .toSorted(
      (a, b) =>
        compare(a.upstream, b.upstream) || compare(a.target ?? '', b.target ?? '') || compare(a.id, b.id),
    );
  const next = offset + size < found.length ? offset + size : null;
  return reply(200, { data: found.slice(offset, offset + size), total: found.length, offset: next });
}

function show({ params }: Parameters<EndpointHandler>[0], services: EndpointServices): Reply {
  for (const circuit of held(services)) if (circuit.id === params['id']) return reply(200, shown(circuit));
  return reply(404, { message: NOT_FOUND });
}

function forcing(kind: 0 | 3): EndpointHandler {
  return ({ params, principal }, services) => {
    for (const { id, name } of held(services)) {
      if (id !== params['id']) continue;
      const circuit = services.circuits?.force(id, kind) ?? null;
      if (circuit === null) break;
      const by = principal === null ? 'by hand' : `by ${principal}`;
      services.log.warn(`the circuit of ${parseName(name).text} is ${KIND_NAMES[kind]}: ${by}`);
      return reply(200, shown(circuit));
    }
    return reply(404, { message: NOT_FOUND });
  };
}

/** Those of this plugin. */
function* held({ circuits }: EndpointServices): Generator<HeldCircuit> {
  for (const circuit of circuits?.all() ?? []) if (circuit.name.startsWith(`${SCOPE} `)) yield circuit;
}

function shown({ id, name, state, inFlight }: HeldCircuit) {
  const { plugin, upstream, target } = parseName(name);
  return {
    id,
    plugin: { id: plugin },
    upstream,
    target: target === '' ? null : target,
    state: KIND_NAMES[state & 3] as string,
    openings: openingsOf(state),
    probes: inFlight,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
