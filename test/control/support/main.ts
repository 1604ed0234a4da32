/**
 * The gateway's main thread with the stand-in data plane, in a process of its own: `main.ts CONF [TUNING [SETTINGS]]`, both as
 * JSON; the latter are laid over what the file says.
 */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runGateway } from '../../../src/control/main.ts';
import type { SupervisorTuning } from '../../../src/control/supervisor.ts';
import { loadSettings } from '../../../src/settings/load.ts';
import type { Settings } from '../../../src/settings/settings.ts';

const [, , file = '', tuning = '{}', overrides = '{}'] = process.argv;
const dataPlane = fileURLToPath(new URL('stand-in-data-plane.ts', import.meta.url));

// What no code of the main thread catches.
process.on('SIGUSR2', () => {
  throw new Error('thrown on purpose');
});

process.exitCode = await runGateway({
  loadSettings: () => {
    const loaded = loadSettings({ file, env: {} });
    return { ...loaded, settings: { ...loaded.settings, ...(JSON.parse(overrides) as Partial<Settings>) } };
  },
  dataPlane: pathToFileURL(dataPlane).href,
  tuning: JSON.parse(tuning) as Partial<SupervisorTuning>,
});
