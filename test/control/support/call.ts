/** One request to the Admin API with exactly the headers that are said, which fetch does not allow. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { type RequestOptions, request as requestTls } from 'node:https';

export interface Called {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export async function callAdmin(
  url: string,
  options: RequestOptions & { readonly body?: string } = {},
): Promise<Called> {
  const send = url.startsWith('https:') ? requestTls : request;
  const outgoing = send(url, { agent: false, ...options });
  outgoing.end(options.body ?? '');
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
