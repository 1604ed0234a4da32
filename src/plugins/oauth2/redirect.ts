/** Where the user's browser is sent with a code, a token or an error: the client's URI with parameters added. */

/** @param where in which part of the URI the parameters go. They are sorted by name, as Kong sorts them. */
export function redirectTo(
  uri: string,
  where: 'query' | 'fragment',
  parameters: Readonly<Record<string, string | number | undefined>>,
): string {
  const [base, fragment] = split(uri, '#');
  if (where === 'fragment') return `${base}#${merged(fragment ?? '', parameters)}`;
  const [path, query] = split(base, '?');
  const added = `${path}?${merged(query ?? '', parameters)}`;
  return fragment === undefined ? added : `${added}#${fragment}`;
}

function split(text: string, mark: string): [string, string?] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function merged(existing: string, parameters: Readonly<Record<string, string | number | undefined>>): string {
  const pairs: Array<[string, string]> = [...new URLSearchParams(existing)].filter(
    ([name]) => parameters[name] === undefined,
  );
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) pairs.push([name, String(value)]);
  }
  // Sorting keeps repeated names in their order.
  pairs.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
}

/** Half of a surrogate pair has no encoding. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
