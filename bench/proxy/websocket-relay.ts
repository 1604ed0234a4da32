/** Messages through WebSockets: CPU time of the gateway for one, beside HAProxy's; small ones and bulk. */
import { haproxy } from '../contenders/haproxy.ts';
import { sluice } from '../contenders/sluice.ts';
import { cpuTime } from '../support/proc.ts';
import { runRelayLoad, type RelayLoad } from '../support/relay-load.ts';
import type { Context, Report, Scenario } from '../support/scenario.ts';
import { median } from '../support/statistics.ts';
import { table } from '../support/table.ts';
import { startWebSocketUpstream } from '../support/websocket-upstream.ts';

type Shape = Pick<RelayLoad, 'connections' | 'bytes' | 'underWay'>;

const SHAPES: ReadonlyArray<readonly [title: string, shape: Shape]> = [
  ['1 KiB, one under way on each of 64', { connections: 64, bytes: 1024, underWay: 1 }],
  ['1 KiB, 16 under way on each of 8', { connections: 8, bytes: 1024, underWay: 16 }],
  ['1 MiB, one under way on each of 4', { connections: 4, bytes: 2 ** 20, underWay: 1 }],
];

interface Turn {
  /** Microseconds of CPU for a message there and back. */
  readonly cpu: number;
  readonly perSecond: number;
}

async function run({ options, say }: Context): Promise<Report> {
  await using upstream = await startWebSocketUpstream();
  await using first = await haproxy.start({ upstreamPort: upstream.port, accessLog: false });
  await using second = await sluice.start({ upstreamPort: upstream.port, accessLog: false });
  const rows: string[][] = [];
  const data: Record<string, unknown> = {};
  for (const [title, shape] of SHAPES) {
    const turns: [Turn, Turn][] = [];
    // One more round than is counted: the first warms up.
    for (let round = 0; round <= options.rounds; round++) {
      const pair: Turn[] = [];
      for (const running of [first, second]) {
        const before = cpuTime(running.pid);
        const result = await runRelayLoad({ ...shape, port: running.port, seconds: options.seconds });
        const after = cpuTime(running.pid);
        const cpu = (after.user - before.user + after.system - before.system) / result.messages;
        pair.push({ cpu, perSecond: result.messages / result.seconds });
      }
      if (round > 0) turns.push([pair[0] as Turn, pair[1] as Turn]);
    }
    const ratios = turns.map(([theirs, ours]) => theirs.cpu / ours.cpu);
    const of = (index: 0 | 1, field: keyof Turn): number => median(turns.map((pair) => pair[index][field]));
    rows.push([
      title,
      of(0, 'cpu').toFixed(1),
      of(1, 'cpu').toFixed(1),
      median(ratios).toFixed(2),
      Math.round(of(0, 'perSecond')).toString(),
      Math.round(of(1, 'perSecond')).toString(),
    ]);
    say(
      `${title}: ${median(ratios).toFixed(2)} × haproxy (${ratios.map((one) => one.toFixed(2)).join(' ')})`,
    );
    data[title] = { turns, ratios };
  }
  const header = ['', 'haproxy µs', 'sluice µs', 'throughput on a core × haproxy', 'haproxy/s', 'sluice/s'];
  return { text: ['### Messages through WebSockets', '', table(header, rows)].join('\n'), data };
}

export const webSocketRelay: Scenario = {
  name: 'websocket-relay',
  summary: 'WebSocket messages beside HAProxy: 1 KiB (at least 0.6 × its throughput) and bulk (0.75)',
  run,
};
