/** `sluice config import --from KONG`: takes a Kong's configuration over. */
import type { Command } from '../command.ts';
import { ADMIN_OPTIONS, ADMIN_OPTIONS_HELP } from '../config/connection.ts';

export const command: Command = {
  help: `Usage: sluice config import --from URL [OPTIONS]

Takes the whole configuration of a Kong over into a running Sluice, as one
commit: all kinds of entity, with their ids, times and hashed passwords. Lists
what has no meaning here; when there is such, nothing is written. What Sluice
has already stays, save for entities of the same ids, which are replaced.

Options:
      --from URL        the Kong: its Admin API (http://kong:8001), or its
                        database (postgres://user:password@host/kong), of which
                        Kong's tables are read and nothing is written
      --from-header N:VALUE  a header to send there, as often as needed
      --to URL          the Sluice; the same as --admin
      --skip-unsupported  leave out what has no meaning here, and write the rest
      --dry-run         write nothing
  -m, --message TEXT    kept with the commit
${ADMIN_OPTIONS_HELP}`,
  options: {
    ...ADMIN_OPTIONS,
    from: { type: 'string' },
    'from-header': { type: 'string', multiple: true },
    to: { type: 'string' },
    'skip-unsupported': { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    message: { type: 'string', short: 'm' },
  },
  positionals: [0, 0],
  async run(invocation) {
    const { importKong } = await import('../config/import.ts');
    return importKong(invocation);
  },
};
