/** Starts contenders, compares them under one load, and stops them again. */
import type { BenchPair, Contender, Running } from '../contenders/contender.ts';
import { fastify } from '../contenders/fastify.ts';
import { compare, type Row } from './compare.ts';
import { writeRequests } from './request-file.ts';
import type { Context } from './scenario.ts';

export interface PlainLoad {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly bodySize: number;
  readonly connections: number;
  readonly accessLog?: boolean;
  readonly tls?: BenchPair;
  /** Called when all run, before the load; what it returns is disposed after it. */
  readonly meanwhile?: (contender: string, running: Running) => Promise<AsyncDisposable>;
}

export async function withContenders(
  context: Context,
  contenders: readonly Contender[],
  load: PlainLoad,
): Promise<Row[]> {
  const { options, upstream } = context;
  const requests = await writeRequests(context, 'one', [{ method: load.method, path: load.path }]);
  await using stack = new AsyncDisposableStack();
  const subjects = [];
  for (const contender of contenders) {
    const wanted =
      options.contenders.length === 0 || options.contenders.some((text) => contender.name.includes(text));
    if (!wanted) continue;
    const accessLog = load.accessLog ?? false;
    const running = stack.use(
      await contender.start({ upstreamPort: upstream.port, accessLog, tls: load.tls }),
    );
    if (load.meanwhile !== undefined) stack.use(await load.meanwhile(contender.name, running));
    const { bodySize, connections } = load;
    const slow = contender === fastify;
    subjects.push({
      name: contender.name,
      running,
      slow,
      load: { requests, bodySize, connections, tls: load.tls !== undefined },
    });
  }
  return await compare(subjects, options, context.say);
}
