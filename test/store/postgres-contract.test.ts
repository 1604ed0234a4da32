/** The contract of the shared log, on a real Postgres: straight, and through a real PgBouncer in transaction mode. */
import { after, before } from 'node:test';
import { startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts';
import { logOptions, startPostgres, type Postgres } from '../support/postgres.ts';
import { sharedLogContract } from './support/contract.ts';
import { openLog, prepare } from './support/log.ts';

let postgres: Postgres;
let bouncer: PgBouncer;

before(async () => {
  postgres = await startPostgres();
  bouncer = await startPgBouncer(postgres);
  await prepare(logOptions(postgres));
});

after(async () => {
  await bouncer[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

sharedLogContract('Postgres', (options) => openLog(logOptions(postgres, options)));

sharedLogContract('PgBouncer', (options) =>
  openLog(logOptions(postgres, { port: bouncer.port, pace: { probe: 200 }, ...options })),
);

sharedLogContract('PgBouncer, LISTEN past it', (options) =>
  openLog(logOptions(postgres, { port: bouncer.port, listenPort: postgres.port, ...options })),
);
