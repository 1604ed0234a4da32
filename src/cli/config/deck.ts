/** decK's files for the compiler of declarative files, which reads Kong's: decK's own keys are worked in. */
import { headProblem, MissingConfig, rewrite } from './files.ts';
import { isObject } from './server.ts';

type Values = Readonly<Record<string, unknown>>;

const DECK_ONLY = ['_info', '_workspace', '_konnect', '_plugin_configs'] as const;

/** Answers a file without decK's keys, or what is wrong with them. */
export function prepareDeck(file: Values): Values | string {
  const deck = DECK_ONLY.some((key) => file[key] !== undefined);
  if (!deck) return file;
  // The version is the compiler's to judge.
  const problem = headProblem({ ...file, _format_version: '3.0' });
  if (problem !== null) return problem;
  const shared = isObject(file['_plugin_configs']) ? file['_plugin_configs'] : {};
  try {
    const {
      _info: info,
      _workspace: _w,
      _konnect: _k,
      _plugin_configs: _p,
      ...rest
    } = rewrite(file, shared, false);
    const defaults = isObject(info) && isObject(info['defaults']) ? info['defaults'] : {};
    return withDefaults(rest, defaults);
  } catch (error) {
    if (error instanceof MissingConfig) return error.message;
    throw error;
  }
}

/** decK's defaults, by singular name, laid under the entities of the kind. */
function withDefaults(holder: Values, defaults: Values): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(holder).map(([key, list]) => {
      if (!Array.isArray(list)) return [key, list];
      const base = defaults[key.replace(/s$/, '')];
      const under = isObject(base) ? base : {};
      return [
        key,
        list.map((one: unknown) => (isObject(one) ? { ...under, ...withDefaults(one, defaults) } : one)),
      ];
    }),
  );
}
