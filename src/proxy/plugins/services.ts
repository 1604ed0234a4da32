/** What plugins of a worker are handed (`PluginServices`), made of what the data plane has. */
import type { Plugin } from '../../entities/plugin.ts';
import type { LogLevel } from '../../settings/settings.ts';
import type { PluginServices } from '../../plugins/kit/services.ts';
import type { ProxyContext } from '../context.ts';

export interface ServiceSources {
  readonly context: ProxyContext;
  readonly log: (level: LogLevel, kind: string, message: string) => void;
}

export function pluginServices({ context, log }: ServiceSources, plugin: Plugin): PluginServices {
  const say =
    (level: LogLevel) =>
    (message: string): void =>
      log(level, `plugin_${plugin.name}`, `[${plugin.name}] ${message}`);
  return {
    plugin,
    log: {
      debug: say('debug'),
      info: say('info'),
      notice: say('notice'),
      warn: say('warn'),
      error: say('error'),
    },
    entities: context.directory,
    // The rest is on its way.
  } as unknown as PluginServices;
}
