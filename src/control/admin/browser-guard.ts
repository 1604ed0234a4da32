/**
 * Without a password the Admin API is open to whoever can connect, and any page in a browser on the machine of somebody
 * who can may try. Three doors are closed:
 *
 * - A page of another site: a browser names it in `Origin` with every request that may change something and with
 *   every one whose answer the page could read. Such a request is refused unless the origin is our own.
 * - A request that a page of another site makes without an origin (an image, a script, a frame): browsers say so in
 *   `Sec-Fetch-Site`. Only following a link is let through, which changes nothing.
 * - A page whose own name was pointed at this machine (DNS rebinding), which makes it the same origin. Its name is
 *   one with dots that only the attacker's name server knows: on a loopback connection, and from a browser on any, a
 *   Host must be an address, a name without dots, a console's, or this machine's name.
 *
 * Who shows a token passes: no page has it that should not. A client certificate is no such sign, because a browser
 * sends it with the requests of any page; it only frees programs from the rule about names.
 *
 * Kong answers everybody (`Access-Control-Allow-Origin: *`). Its clients, curl, decK and Terraform, send no Origin.
 */
import { hostname } from 'node:os';
import { ipFamily } from '../../lib/is-ip.ts';
import { type Consoles, isConsoleHost, isConsoleUrl, isOwnOrigin } from './origins.ts';

export interface Asked {
  readonly host: string;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`: every browser says this with every request, and no command-line client does. */
  readonly fetchSite?: string | undefined;
  /** A link was followed: `Sec-Fetch-Mode: navigate` to a document, with a method that changes nothing. */
  readonly navigation?: boolean;
  /** The connection came in on a loopback address. */
  readonly loopback: boolean;
  readonly proof?: 'token' | 'certificate' | null;
  readonly consoles?: Consoles;
}

const NO_CONSOLES: Consoles = { admin_gui_url: [], admin_gui_listen: [] };

/** Why the request is refused, or null. */
export function judge(asked: Asked): string | null {
  const { host, origin, fetchSite, navigation, loopback, proof, consoles = NO_CONSOLES } = asked;
  if (proof === 'token') return null;
  if (origin !== undefined && !isOwnOrigin(origin, host, consoles)) {
    return `requests of the origin ${origin.slice(0, 100)} are not accepted`;
  }
  const foreign = fetchSite === 'cross-site' || fetchSite === 'same-site';
  if (foreign && origin === undefined && navigation !== true) {
    return 'requests of pages of other sites are not accepted';
  }
  if (origin !== undefined && isConsoleUrl(origin, consoles)) return null;
  const browser = fetchSite !== undefined || origin !== undefined;
  if ((browser || (loopback && proof !== 'certificate')) && !isOwnName(host, consoles)) {
    return 'the Host of a request must be an address, a local name or the name of this machine';
  }
  return null;
}

function isOwnName(host: string, consoles: Consoles): boolean {
  const name = host.replace(/:\d*$/, '').toLowerCase();
  if (!name.includes('.') && !name.startsWith('[')) return true;
  const address = name.startsWith('[') ? name.slice(1, -1) : name;
  if (ipFamily(address) !== 0 || name.endsWith('.localhost')) return true;
  return name === hostname().toLowerCase() || isConsoleHost(name, consoles);
}
