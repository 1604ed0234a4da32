/** The folder that the `plugin` commands work in. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Invocation } from '../command.ts';
import { readSettings } from '../read-settings.ts';

/** `plugins_dir` of the settings, or else `./plugins`. */
export function workingFolder(invocation: Invocation): {
  readonly path: string;
  readonly exists: boolean;
  readonly set: boolean;
} {
  const { settings } = readSettings(invocation);
  const path = settings.plugins_dir ?? resolve('plugins');
  return { path, exists: existsSync(path), set: settings.plugins_dir !== null };
}
