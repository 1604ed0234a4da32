/** Imports users' plugins for the first time, where nothing is lost when one of them does not come back. */
import { parentPort, workerData } from 'node:worker_threads';
import { readPlugins } from '../../plugins/users/bundle.ts';
import type { PluginVersion } from '../../plugins/users/live.ts';

const { files } = workerData as { readonly files: readonly PluginVersion[] };
const read = await readPlugins(files);
// A thread's port has no origin.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(read);
