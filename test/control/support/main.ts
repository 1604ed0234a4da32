/**
 * The gateway's main thread with the stand-in data plane, in a process of its own: `main.ts CONF [TUNING as JSON]`.
 */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runGateway } from '../../../src/control/main.ts';
import type { SupervisorTuning } from '../../../src/control/supervisor.ts';
import { loadSettings } from '../../../src/settings/load.ts';

const [, , file = '', tuning = '{}'] = process.argv;
const dataPlane = fileURLToPath(new URL('stand-in-data-plane.ts', import.meta.url));

// What no code of the main thread catches.
process.on('SIGUSR2', () => {
  throw new Error('thrown on purpose');
});

process.exitCode = await runGateway({
  loadSettings: () => loadSettings({ file, env: {} }),
  dataPlane: pathToFileURL(dataPlane).href,
  tuning: JSON.parse(tuning) as Partial<SupervisorTuning>,
});
