/** Every command by its words. A command's module is loaded when it is called. */
import type { Command } from './command.ts';

interface CommandEntry {
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
}

export const COMMANDS: ReadonlyMap<string, CommandEntry> = new Map([
  ['start', { summary: 'run the gateway in the foreground', load: () => import('./commands/start.ts') }],
  ['stop', { summary: 'stop the running gateway at once', load: () => import('./commands/stop.ts') }],
  ['quit', { summary: 'stop it gracefully', load: () => import('./commands/quit.ts') }],
  [
    'reload',
    { summary: 'read settings and configuration again', load: () => import('./commands/reload.ts') },
  ],
  ['health', { summary: 'tell whether it runs', load: () => import('./commands/health.ts') }],
  ['check', { summary: 'validate the settings', load: () => import('./commands/check.ts') }],
  [
    'config parse',
    { summary: 'validate a declarative file', load: () => import('./commands/config-parse.ts') },
  ],
  [
    'config init',
    { summary: 'write a declarative file to begin with', load: () => import('./commands/config-init.ts') },
  ],
  ['config dump', { summary: 'write a declarative file', load: () => import('./commands/config-dump.ts') }],
  [
    'config validate',
    { summary: 'validate files, also of decK', load: () => import('./commands/config-validate.ts') },
  ],
  [
    'config diff',
    { summary: 'tell what sync would change', load: () => import('./commands/config-diff.ts') },
  ],
  [
    'config sync',
    { summary: 'make the configuration that of files', load: () => import('./commands/config-sync.ts') },
  ],
  [
    'config history',
    { summary: 'list commits, or show one', load: () => import('./commands/config-history.ts') },
  ],
  [
    'config rollback',
    { summary: 'return to an earlier revision', load: () => import('./commands/config-rollback.ts') },
  ],
  ['config import', { summary: 'take a Kong over', load: () => import('./commands/config-import.ts') }],
  [
    'config db_import',
    { summary: 'add files, and delete nothing', load: () => import('./commands/config-db-import.ts') },
  ],
  [
    'config db_export',
    { summary: 'dump into a new file', load: () => import('./commands/config-db-export.ts') },
  ],
  [
    'migrations bootstrap',
    { summary: 'make the schema in Postgres', load: () => import('./commands/migrations-bootstrap.ts') },
  ],
  [
    'migrations up',
    { summary: 'bring the schema up to date', load: () => import('./commands/migrations-up.ts') },
  ],
  [
    'migrations finish',
    { summary: "nothing: 'up' is enough", load: () => import('./commands/migrations-finish.ts') },
  ],
  [
    'migrations list',
    {
      summary: 'list the migrations and what is applied',
      load: () => import('./commands/migrations-list.ts'),
    },
  ],
  [
    'migrations status',
    { summary: "tell the schema's version, as JSON", load: () => import('./commands/migrations-status.ts') },
  ],
  [
    'admin token create',
    { summary: 'let somebody use the Admin API', load: () => import('./commands/admin-token-create.ts') },
  ],
  ['admin token list', { summary: 'who may use it', load: () => import('./commands/admin-token-list.ts') }],
  [
    'admin token revoke',
    { summary: 'take a token back', load: () => import('./commands/admin-token-revoke.ts') },
  ],
  [
    'vault get',
    { summary: 'print what a vault reference stands for', load: () => import('./commands/vault-get.ts') },
  ],
  [
    'secrets rotate',
    { summary: 'seal secrets by the first key', load: () => import('./commands/secrets-rotate.ts') },
  ],
  [
    'secrets status',
    { summary: 'which keys seal secrets', load: () => import('./commands/secrets-status.ts') },
  ],
  [
    'plugin new',
    { summary: 'write a plugin of your own, with its test', load: () => import('./commands/plugin-new.ts') },
  ],
  [
    'plugin test',
    { summary: 'run the tests of your plugins', load: () => import('./commands/plugin-test.ts') },
  ],
  ['version', { summary: 'print the version', load: () => import('./commands/version.ts') }],
]);
