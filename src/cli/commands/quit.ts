/** `sluice quit`: graceful, requests in flight are finished (SIGQUIT does the same). */
import { secondsOption, SETTINGS_OPTIONS, SETTINGS_OPTIONS_HELP, type Command } from '../command.ts';

/** Kong's defaults, in seconds. */
const DEFAULT_TIMEOUT = 10;
const DEFAULT_WAIT = 0;
/** Seconds for the process to end after its own deadline. */
const MARGIN = 10;

export const command: Command = {
  help: `Usage: sluice quit [OPTIONS]

Stops the running gateway gracefully: it accepts no more connections, finishes
the requests in flight, then ends. Returns when its process is gone.

Options:
  -t, --timeout SECONDS time for requests in flight before they are cut
                        (default: ${DEFAULT_TIMEOUT})
  -w, --wait SECONDS    time to go on as before, until load balancers have
                        noticed (default: ${DEFAULT_WAIT})
${SETTINGS_OPTIONS_HELP}`,
  options: {
    ...SETTINGS_OPTIONS,
    timeout: { type: 'string', short: 't' },
    wait: { type: 'string', short: 'w' },
  },
  positionals: [0, 0],
  async run(invocation) {
    const timeout = secondsOption(invocation, 'timeout', DEFAULT_TIMEOUT);
    const wait = secondsOption(invocation, 'wait', DEFAULT_WAIT);
    const { stopGateway } = await import('../stopping.ts');
    return stopGateway(invocation, {
      request: { method: 'POST', path: '/quit', body: { timeout, wait } },
      patience: (timeout + wait + MARGIN) * 1000,
      done: 'Sluice stopped gracefully',
    });
  },
};
