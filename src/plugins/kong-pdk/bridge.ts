/**
 * `kong` as plugins of `kong-pdk` have it: any path of names can be called, in `camelCase` or `snake_case`, and each call
 * gives a promise. What Kong does over a socket is done at once here, in the order of the calls.
 */
import { METHODS } from './methods.ts';
import type { Session } from './session.ts';

/** What a call rejects with. */
class PDKError extends Error {
  override readonly name = 'PDKError';
}

type Call = (...args: unknown[]) => Promise<unknown>;

/** `getHeader` → `get_header`, letter by letter as `kong-pdk` does it. */
function snakeCase(name: string): string {
  return name.replaceAll(/[a-z][A-Z]/g, (two) => `${two[0]}_${two[1]}`.toLowerCase());
}

export function bridge(session: Session): Call {
  return node('kong', session);
}

function node(path: string, session: Session): Call {
  const children = new Map<string, Call>();
  const target: Call = (...args) => call(path, args, session);
  return new Proxy(target, {
    get(_, name) {
      // Whoever awaits `kong` itself must not call `kong.then`.
      if (typeof name !== 'string' || name === 'then') return undefined;
      let child = children.get(name);
      if (child === undefined) children.set(name, (child = node(`${path}.${snakeCase(name)}`, session)));
      return child;
    },
  });
}

function call(path: string, args: readonly unknown[], session: Session): Promise<unknown> {
  // Kong has taken the request away from the plugin: nothing answers any more.
  if (session.reply !== null) return new Promise(() => undefined);
  const result = perform(path, args, session);
  // Plugins that do not look at a call would else end the process with it.
  result.catch((error: unknown) => session.gateway.log.debug(String(error)));
  return result;
}

async function perform(path: string, args: readonly unknown[], session: Session): Promise<unknown> {
  const method = METHODS.get(path);
  if (method === undefined) {
    throw new PDKError(`PDK method ${path} failed: there is no such call for plugins of kong-pdk here`);
  }
  try {
    const value = method(session, ...args);
    return (value instanceof Promise ? await value : value) ?? undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PDKError(`PDK method ${path} failed: ${reason}`, { cause: error });
  }
}
