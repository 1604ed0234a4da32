/** `sluice admin token list`: who may use the Admin API? */
import { EXIT_OK, SETTINGS_OPTIONS, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';
import type { Grant } from '../../control/access/token-store.ts';

export const command: Command = {
  help: `Usage: sluice admin token list [OPTIONS]

Lists the tokens and certificates that the Admin API lets in, in the order of
their making. The tokens themselves are not kept and cannot be shown.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [0, 0],
  async run(invocation) {
    const { openTokens } = await import('../admin-tokens.ts');
    const grants = await openTokens(invocation, (tokens) => tokens.list());
    if (grants.length === 0) {
      invocation.terminal.error(`there are none: 'sluice admin token create' makes one`);
      return EXIT_OK;
    }
    const rows = [['NAME', 'ROLE', 'MAY CHANGE', 'CREATED', 'EXPIRES', 'SHOWS'], ...grants.map(row)];
    const widths = (rows[0] ?? []).map((_, column) =>
      Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
    );
    for (const cells of rows) {
      const line = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
      invocation.terminal.out(line.trimEnd());
    }
    return EXIT_OK;
  },
};

function row(grant: Grant): string[] {
  const { name, role, created, expires, proof } = grant;
  const ended = expires !== null && expires <= Date.now();
  return [
    name,
    role,
    role === 'read' ? 'nothing' : scope(grant),
    day(created),
    expires === null ? 'never' : `${day(expires)}${ended ? ' (expired)' : ''}`,
    proof.type === 'token' ? 'a token' : `certificate ${proof.subject}`,
  ];
}

function scope({ kinds, tags }: Grant): string {
  if (kinds === null && tags === null) return 'everything';
  return [kinds?.join(','), tags === null ? undefined : `tagged ${tags.join(',')}`].filter(Boolean).join(' ');
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
