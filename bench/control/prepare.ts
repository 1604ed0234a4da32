/** Gateways on a Postgres of the benchmarks: their settings, with the schema made, and what is asked of them. */
import { type Gateway, sluice } from '../../test/support/gateway.ts';
import type { Postgres } from '../../test/support/postgres.ts';

export type Settings = Readonly<Record<string, string | number>>;

/** @throws Error when the answer is no success. */
export async function call(
  gateway: Gateway,
  method: string,
  path: string,
  body: Readonly<Record<string, unknown>>,
): Promise<void> {
  const response = await fetch(`${gateway.adminUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
}

/** Makes the schema, and answers the settings that lead to it. */
export async function prepare(postgres: Postgres, schema: string): Promise<Settings> {
  const { port, user, password, database } = postgres.server;
  const settings = {
    pg_host: '127.0.0.1',
    pg_port: port,
    pg_user: user,
    pg_password: password ?? '',
    pg_database: database,
    pg_schema: schema,
  };
  const env = Object.entries({ database: 'postgres', ...settings }).map(
    ([setting, value]) => [`SLUICE_${setting.toUpperCase()}`, String(value)] as const,
  );
  const { code, stderr } = await sluice(['migrations', 'bootstrap'], Object.fromEntries(env));
  if (code !== 0) throw new Error(stderr);
  return settings;
}
