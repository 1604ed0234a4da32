/** `kong.response.exit` and `error`: an answer, out of texts. */
import { refuse, type Reply, reply } from '../kit/reply.ts';

/** @param headers a list of names with their values. @throws RangeError, TypeError */
export function makeReply(status: number, kind: string, body: string, headers: unknown): Reply {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError('the status must be a number from 200 to 599');
  }
  const fields = Object.fromEntries(headers as Array<[string, string[]]>);
  if (kind === 'error') return refuse(status, body === '' ? null : body, fields);
  if (kind === 'json') {
    const json = { 'Content-Type': 'application/json; charset=utf-8' };
    return reply(status, Buffer.from(body), { ...json, ...fields });
  }
  return reply(status, kind === 'text' ? (JSON.parse(body) as string) : null, fields);
}
