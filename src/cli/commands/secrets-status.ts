/** `sluice secrets status`: how many secrets are sealed by which key? */
import { EXIT_OK, SETTINGS_OPTIONS, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';
import type { SealCounts } from '../../store/catalog/reseal.ts';

export const command: Command = {
  help: `Usage: sluice secrets status [OPTIONS]

Lists the keys by which secrets are sealed: how many in entities as they are,
how many in the log of commits, and how many records (tokens, sessions). Keys go by the first 8 digits that are
derived from them.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [0, 0],
  async run(invocation) {
    const { askKeeper } = await import('../secrets.ts');
    const { key, node, database } = await askKeeper(invocation, '/secrets/status', (keeper) =>
      keeper.status(),
    );
    const { terminal } = invocation;
    terminal.out(key === null ? 'no key is set: secrets are kept in clear' : `the key ${key} seals`);
    const rows = [
      ...rowsOf(database === null ? 'store' : 'this node', node),
      ...(database === null ? [] : rowsOf('database', database)),
    ];
    if (rows.length === 0) terminal.out('there are no secrets');
    else for (const row of [['WHERE', 'KEY', 'ENTITIES', 'LOG', 'RECORDS'], ...rows]) terminal.out(line(row));
    return EXIT_OK;
  },
};

function rowsOf(where: string, { entities, log, records }: SealCounts): string[][] {
  const keys = [...new Set([entities, log, records].flatMap((counts) => Object.keys(counts)))].sort();
  return keys.map((key) => [
    where,
    key === '' ? 'in clear' : key,
    String(entities[key] ?? 0),
    String(log[key] ?? 0),
    String(records[key] ?? 0),
  ]);
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell) => cell.padEnd(11))
    .join('')
    .trimEnd();
}
