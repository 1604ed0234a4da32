/** What a reload would change, split by whether it can take effect without a restart. */
import { isDeepStrictEqual } from 'node:util';
import type { Settings } from './settings.ts';
import { SETTINGS } from './table.ts';

export interface SettingsDiff {
  /** Names of changed settings that take effect live. */
  readonly live: readonly (keyof Settings)[];
  /** Names of changed settings that need a restart: a reload with any of these is refused as a whole. */
  readonly restart: readonly (keyof Settings)[];
}

export function diffSettings(old: Settings, next: Settings): SettingsDiff {
  const live: (keyof Settings)[] = [];
  const restart: (keyof Settings)[] = [];
  for (const name of Object.keys(SETTINGS) as (keyof Settings)[]) {
    if (isDeepStrictEqual(old[name], next[name])) continue;
    (SETTINGS[name].takesEffect === 'live' ? live : restart).push(name);
  }
  return { live, restart };
}
