/**
 * Names of the plugins that Sluice has. Their code stands above this layer; the names stand here because every way in
 * for configuration asks for them. A plugin is added by its folder and its name in this list.
 */
export const BUILT_PLUGINS: ReadonlySet<string> = new Set<string>();
