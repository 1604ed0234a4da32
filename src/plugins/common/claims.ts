/**
 * What a client says of who it is, in the words in which the gateway tells upstreams: never believed where a plugin of the
 * route says who calls, also when that plugin lets the request pass unasked.
 *
 * Whatever is neither letter nor digit counts as a hyphen: many an upstream cannot tell them apart (CGI has `_` for `-`;
 * lighttpd and old Apaches for `.`, `~` and the like as well).
 */
import type { NameSet } from '../../wire/folded-names.ts';
import type { Headers } from '../../wire/message.ts';

const CLAIM = /^x[^a-z0-9](?:(?:consumer|credential|authenticated)[^a-z0-9]|anonymous[^a-z0-9]consumer$)/i;
const X = 'x'.charCodeAt(0);
const SHORTEST = 'X-Consumer-'.length;

export const CLAIMS: NameSet = {
  mayHave: (length, first) => first === X && length >= SHORTEST,
  has: (name) => CLAIM.test(name),
};

export function removeClaims(headers: Headers): void {
  headers.removeSpellings(CLAIMS);
}
