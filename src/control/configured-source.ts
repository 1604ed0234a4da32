/** Where the settings say that the declarative configuration is. */
import type { Settings } from '../settings/settings.ts';
import type { ConfigSource } from './compile-job.ts';

/** Null when they name none. */
export function configuredSource(settings: Settings): ConfigSource | null {
  if (settings.declarative_config !== null) return { kind: 'file', path: settings.declarative_config };
  if (settings.declarative_config_string !== null) {
    return { kind: 'text', text: settings.declarative_config_string, name: 'declarative_config_string' };
  }
  return null;
}

/** Who edits the file of a gateway with a database, and reloads, waits in vain: a store begins with it, once. */
export function unreadFile({
  database,
  declarative_config: file,
  declarative_config_string: text,
}: Settings): string[] {
  if (file === null && text === null) return [];
  return [
    `the configuration is in the database (${database}): ${file ?? 'declarative_config_string'} was not read, ` +
      `an empty store begins with it; 'sluice config sync ${file ?? 'FILE'}' applies it`,
  ];
}
