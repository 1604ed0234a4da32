/** The query without some arguments, everything else as it came. Form encoding, leniently: what is no escape stands for itself. */
export function withoutArgs(query: string, names: ReadonlySet<string>): string {
  if (names.size === 0 || query === '') return query;
  const pairs = query.split('&');
  const kept = pairs.filter((pair) => {
    const equals = pair.indexOf('=');
    return !names.has(decoded(equals < 0 ? pair : pair.slice(0, equals)));
  });
  return kept.length === pairs.length ? query : kept.join('&');
}

function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
