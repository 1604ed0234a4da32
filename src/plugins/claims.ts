/**
 * What a client says of who it is, in the words in which the gateway tells upstreams: never believed where a plugin of the
 * route says who calls, also when that plugin lets the request pass unasked.
 *
 * Underscores count as hyphens: many an upstream (CGI, WSGI) cannot tell them apart.
 */
import type { NameSet } from '../wire/folded-names.ts';
import type { Headers } from '../wire/message.ts';

const CLAIM = /^x[-_](?:(?:consumer|credential|authenticated)[-_]|anonymous[-_]consumer$)/i;
const X = 'x'.charCodeAt(0);
const SHORTEST = 'X-Consumer-'.length;

export const CLAIMS: NameSet = {
  mayHave: (length, first) => first === X && length >= SHORTEST,
  has: (name) => CLAIM.test(name),
};

export function removeClaims(headers: Headers): void {
  headers.removeSpellings(CLAIMS);
}
