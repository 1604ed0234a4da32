/** What a policy answers: a boolean, or an object that says more (Kong's form). Anything else decides nothing. */
import { FoldedNames } from '../../wire/folded-names.ts';
import { headerText, isHeaderName } from '../common/header-text.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { FilterResult } from '../kit/filters.ts';
import { refuse, reply, type ReplyHeaders } from '../kit/reply.ts';

/** A result that is no decision: nobody is let in by it. */
export class NoDecision extends Error {
  override readonly name = 'NoDecision';
}

/** @throws NoDecision */
export function applyDecision(exchange: Exchange, result: unknown): FilterResult {
  if (result === true) return undefined;
  if (result === false) return unauthorized(403, {});
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw new NoDecision('the policy answered neither true, false nor an object');
  }
  const { allow, headers, status, message } = result as Readonly<Record<string, unknown>>;
  if (typeof allow !== 'boolean')
    throw new NoDecision('the policy answered an object without a boolean `allow`');
  const fields = headersOf(headers);
  if (!allow) return denial(status, message, fields);
  const { headers: told } = exchange.upstreamRequest;
  const entries = Object.entries(fields);
  // Nor does the client say them in another spelling.
  if (entries.length > 0) told.removeSpellings(new FoldedNames(Object.keys(fields)));
  for (const [name, value] of entries) told.set(name, value);
  return undefined;
}

function denial(status: unknown, message: unknown, headers: ReplyHeaders): FilterResult {
  const code = status ?? 403;
  if (!Number.isInteger(code) || Number(code) < 200 || Number(code) > 599) {
    throw new NoDecision('the policy answered a status that is none');
  }
  if (message === undefined || message === null) return unauthorized(Number(code), headers);
  const body = typeof message === 'object' ? message : { message };
  return reply(Number(code), body, headers);
}

function unauthorized(status: number, headers: ReplyHeaders): FilterResult {
  return status === 403 ? reply(403, { message: 'unauthorized' }, headers) : refuse(status, null, headers);
}

/** @throws NoDecision for what would be another header, or another response. */
function headersOf(headers: unknown): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  if (headers === undefined || headers === null) return fields;
  if (typeof headers !== 'object') throw new NoDecision('the headers that the policy answered are no object');
  for (const [name, value] of Object.entries(headers)) {
    const text = headerText(value);
    if (text === null || !isHeaderName(name)) {
      throw new NoDecision(`the policy answered a header that may not be sent: ${JSON.stringify(name)}`);
    }
    fields[name] = text;
  }
  return fields;
}
