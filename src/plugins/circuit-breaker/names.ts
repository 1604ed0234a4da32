/** Names of circuits in the zone: `breaker PLUGIN upstream NAME[ target HOST:PORT]`, or `… address HOST:PORT`. */

export const SCOPE = 'breaker';

export interface CircuitName {
  /** Id of the plugin's configuration. */
  readonly plugin: string;
  /** Name of the upstream, or the address. */
  readonly upstream: string;
  /** '': the upstream itself, or an address. */
  readonly target: string;
  /** For people. */
  readonly text: string;
}

const NAME = /^(?:group )?breaker (\S+) (upstream|address) (.*?)(?: target (\S*))?$/;

/** Null-like fields for what is none. */
export function parseName(name: string): CircuitName {
  const [, plugin = '', kind = '', upstream = '', target = ''] = NAME.exec(name) ?? [];
  const text = target === '' ? `${kind} ${upstream}` : `target ${target} of upstream ${upstream}`;
  return { plugin, upstream, target, text };
}
