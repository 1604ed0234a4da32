/** Settings of users' plugins. */
import { resolve } from 'node:path';
import { integer } from './parse-value.ts';
import type { PluginSettings } from './settings.ts';
import type { SettingSpec } from './table.ts';

type Table = { readonly [K in keyof PluginSettings]: SettingSpec<PluginSettings[K]> };

export const PLUGIN_SETTINGS: Table = {
  plugins_dir: {
    initial: null,
    parse: (value) => resolve(value),
    unset: null,
    takesEffect: 'restart',
    section: 'General',
    doc: "Sluice's own: folder of your own plugins: `NAME.ts`, `NAME.js` or a folder `NAME` with `index.ts` or `index.js`, each the plugin `NAME`. They are read again when a file changes. `plugins = bundled` has them all; else `plugins` names those that may be used.",
  },
  plugin_block_limit: {
    initial: '5000',
    parse: integer(0, 3_600_000),
    takesEffect: 'live',
    section: 'General',
    doc: "Sluice's own: milliseconds that one of your own plugins may keep a worker from everything else. Past them the worker is replaced, and the routes of that plugin answer 503 until its code or its configuration changes. 0: it is only named in the log.",
  },
  worker_heap_limit: {
    initial: null,
    parse: integer(16, 1_048_576),
    unset: null,
    takesEffect: 'restart',
    section: 'General',
    doc: "Sluice's own: MiB of JavaScript heap that a worker may have. One that needs more is replaced, and what it served breaks off; the others go on. Unset, Node chooses by the machine's memory.",
  },
};
