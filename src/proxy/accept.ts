/**
 * Which of the four forms of an error body a client gets, by its Accept header (RFC 9110 §12.5.1, Kong's rules).
 *
 * The entry with the highest weight wins, the first of equals; its type decides, and a type that is none of ours means
 * JSON. A weight of 0 excludes nothing, it just never wins. Kong's leniency is kept: an entry that is no media range is
 * skipped, a malformed weight counts as 1. One pass over at most {@link MAX_LENGTH} characters, no regular expression.
 */

export type ErrorForm = 'html' | 'json' | 'xml' | 'plain';

/** Beyond this nothing is read: browsers send about 150 characters. */
const MAX_LENGTH = 4096;

const FORMS: ReadonlyMap<string, ErrorForm> = new Map([
  ['text/html', 'html'],
  ['application/json', 'json'],
  ['application/xml', 'xml'],
  ['text/plain', 'plain'],
  ['text/*', 'plain'],
  ['application/*', 'json'],
  ['*/*', 'json'],
]);

/** A media range: `type/subtype`, of which each may be `*`; one-letter types are none, as in Kong. */
const MEDIA_RANGE = /^(?:[a-z0-9][a-z0-9!#$&^_+.-]+|\*)\/(?:[a-z0-9][a-z0-9!#$&^_+.-]+|\*)$/;
/** No registered type is longer (RFC 6838 §4.2: 127 each). */
const MAX_RANGE = 255;

export function preferredForm(accept: string | undefined): ErrorForm {
  let best: ErrorForm = 'json';
  if (accept === undefined) return best;
  let bestWeight = 0;
  const end = Math.min(accept.length, MAX_LENGTH);
  for (let start = 0; start < end;) {
    let comma = accept.indexOf(',', start);
    if (comma < 0 || comma > end) comma = end;
    const entry = accept.slice(start, comma);
    start = comma + 1;
    const range = mediaRange(entry);
    if (range === null) continue;
    const weight = weightOf(entry);
    if (weight <= bestWeight) continue;
    bestWeight = weight;
    best = FORMS.get(range) ?? 'json';
    if (weight === 1) break;
  }
  return best;
}

function mediaRange(entry: string): string | null {
  const semicolon = entry.indexOf(';');
  const range = (semicolon < 0 ? entry : entry.slice(0, semicolon)).trim().toLowerCase();
  return range.length <= MAX_RANGE && MEDIA_RANGE.test(range) ? range : null;
}

/** The last `q` of the parameters, 0 to 1. */
function weightOf(entry: string): number {
  let weight = 1;
  for (let at = entry.indexOf(';'); at >= 0; at = entry.indexOf(';', at + 1)) {
    const next = entry.indexOf(';', at + 1);
    const parameter = entry.slice(at + 1, next < 0 ? entry.length : next).trim();
    if (parameter.length < 3 || (parameter.charCodeAt(0) | 0x20) !== 0x71 || parameter[1] !== '=') continue;
    const value = Number(parameter.slice(2, 7));
    weight = value >= 0 && value <= 1 ? value : 1;
  }
  return weight;
}
