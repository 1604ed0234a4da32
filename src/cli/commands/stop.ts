/** `sluice stop`: fast, connections are cut (SIGTERM does the same). */
import { SETTINGS_OPTIONS, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';

const PATIENCE_MS = 30_000;

export const command: Command = {
  help: `Usage: sluice stop [OPTIONS]

Stops the running gateway at once: requests in flight are cut ('sluice quit'
lets them finish). Returns when its process is gone.

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: SETTINGS_OPTIONS,
  positionals: [0, 0],
  async run(invocation) {
    const { stopGateway } = await import('../stopping.ts');
    return stopGateway(invocation, {
      request: { method: 'POST', path: '/stop', timeout: PATIENCE_MS },
      patience: PATIENCE_MS,
      done: 'Sluice stopped',
    });
  },
};
