/** `sluice reload`: settings and declarative file are read again (SIGHUP does the same, without an answer). */
import { CommandError, EXIT_OK, SETTINGS_OPTIONS, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';

export const command: Command = {
  help: `Usage: sluice reload [OPTIONS]

Makes the running gateway read its settings and its declarative file again,
with the options that it was started with. Returns when every worker serves
the new configuration. Nothing changes when anything in them is wrong, or when
a changed setting needs a restart.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [0, 0],
  async run(invocation) {
    const [{ callOrFail }, { readPrefix }] = await Promise.all([
      import('../stopping.ts'),
      import('../read-settings.ts'),
    ]);
    const prefix = readPrefix(invocation);
    const { status, body } = await callOrFail(prefix, { method: 'POST', path: '/reload' });
    const message = typeof body['message'] === 'string' ? body['message'] : `the gateway answered ${status}`;
    if (status >= 300) throw new CommandError([message, ...strings(body['errors'])].join('\n'));
    for (const warning of strings(body['warnings'])) invocation.terminal.error(`warning: ${warning}`);
    const revision = typeof body['revision'] === 'number' ? `, revision ${body['revision']}` : '';
    invocation.terminal.out(`Sluice reloaded${revision} (prefix ${prefix})`);
    return EXIT_OK;
  },
};

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
