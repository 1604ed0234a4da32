/** Changes of headers that snippets ask for. */
import { checkHeader } from '../common/early-changes.ts';
import type { EditHeaders, Exchange } from '../kit/exchange.ts';
import type { SnippetHost } from './host.ts';

export type HeaderChange = `${'request' | 'response'} ${'set' | 'add' | 'remove' | 'all'}`;

/** @param values of the header; with `all`, pairs of a name and its values. */
export function changeHeaders(
  host: SnippetHost,
  change: HeaderChange,
  name: string,
  values: ReadonlyArray<string | [string, string[]]>,
): undefined {
  const [whose, how] = change.split(' ');
  if (how === 'all') {
    for (const [each, list] of values as ReadonlyArray<[string, string[]]>) {
      changeHeaders(host, `${whose} set` as HeaderChange, each, list);
    }
    return;
  }
  const list = values as readonly string[];
  const { exchange } = host;
  if (whose === 'request') {
    if (name.toLowerCase() === 'host' && list[0] !== undefined) exchange.upstreamRequest.host = list[0];
    else apply(exchange.upstreamRequest.headers, how, name, list);
    return;
  }
  const edit = (late: Exchange): void => apply(late.response.headers, how, name, list);
  if (host.isEarly) {
    checkHeader(name, list);
    host.early.add(exchange, edit);
  } else if (host.phase === 'header_filter') edit(exchange);
  else throw new Error('the head of the response has been sent');
}

function apply(headers: EditHeaders, how: string | undefined, name: string, values: readonly string[]): void {
  if (how === 'remove') headers.remove(name);
  else if (how === 'set') headers.set(name, values.length === 1 ? (values[0] as string) : values);
  else for (const value of values) headers.add(name, value);
}
