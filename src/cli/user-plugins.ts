/** Users' plugins in a command: it then knows them as the gateway would. */
import { judgeNames } from '../control/plugins/plugin-keeper.ts';
import { applyFolder } from '../plugins/users/bundle.ts';
import { PluginProblems } from '../plugins/users/find.ts';
import type { Settings } from '../settings/settings.ts';
import { CommandError, type Terminal } from './command.ts';

/** @throws CommandError with everything that is wrong with them. */
export async function loadPlugins(settings: Settings, terminal: Terminal): Promise<void> {
  try {
    const names = await applyFolder(settings.plugins_dir);
    for (const warning of judgeNames(settings, names)) terminal.error(`warning: ${warning}`);
  } catch (error) {
    if (error instanceof PluginProblems) throw new CommandError(error.message);
    throw error;
  }
}
