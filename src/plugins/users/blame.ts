/**
 * Whose error is it? The stack names modules, and those of users' plugins carry their plugin's name. An error without such
 * a line (of a socket that nobody listens to) counts as the plugin's whose `create` opened it; calls of filters are not
 * followed like this, since that would cost each of them more than all the rest.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Name of the plugin whose `create` runs, or has started what runs. */
export const creating = new AsyncLocalStorage<string>();

/** Name of the user's plugin that an uncaught error comes from, or null. */
export function blame(error: unknown): string | null {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return pluginOfStack(stack) ?? creating.getStore() ?? null;
}

/** The innermost: whoever is called by another is the one that threw. */
export function pluginOfStack(stack: string): string | null {
  return /[?&]sluice-plugin=([a-z0-9_-]+)\.\d+/.exec(stack)?.[1] ?? null;
}
