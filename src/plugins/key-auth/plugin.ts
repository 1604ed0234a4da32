/**
 * key-auth: who shows a key that somebody has is that somebody.
 *
 * As in Kong the first of `key_names` that stands anywhere decides: in a header, else in the query, else in the body, which is
 * read only when it is a form or JSON and the key was in neither.
 */
import { authentication, type Attempt } from '../common/identity.ts';
import { quotedString, textOfHeader } from '../common/header-value.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { bodyForm, fieldsNamed, withoutArgument, withoutFields } from './fields.ts';
import { keyAuth } from './schema.ts';

/** Octets of a body in which a key is looked for: a larger one is not read and has none; 413 when only its end tells. */
const MAX_BODY = 1024 * 1024;

const NOWHERE = 'No API key found in request';
const DUPLICATE = 'Duplicate API key found';
const UNKNOWN = 'Unauthorized';

/** A key that was found, under the name that it had. */
interface Found {
  readonly name: string;
  readonly key: string;
}

/** A key; what is wrong; or null: there is none here. */
type Search = Found | typeof DUPLICATE | null;

export default definePlugin({
  ...keyAuth,
  create(config, gateway) {
    const { entities } = gateway;
    const { key_in_header: inHeader, key_in_query: inQuery, key_in_body: inBody } = config;
    const names = config.key_names.map((name) => ({ name, spellings: spellingsOf(name) }));
    const challenge = config.realm === null ? 'Key' : `Key realm=${quotedString(config.realm)}`;
    const headers = { 'WWW-Authenticate': challenge };
    const refusals = {
      [NOWHERE]: refuse(401, NOWHERE, headers),
      [DUPLICATE]: refuse(401, DUPLICATE, headers),
      [UNKNOWN]: refuse(401, UNKNOWN, headers),
    } as const;

    function inHead(exchange: Exchange, { name, spellings }: (typeof names)[number]): Search {
      const { request } = exchange;
      if (inHeader) {
        for (const spelling of spellings) {
          const values = request.headers.all(spelling);
          if (values.length === 0) continue;
          return values.length > 1 ? DUPLICATE : { name, key: textOfHeader(values[0] ?? '') };
        }
      }
      if (!inQuery || request.query === '') return null;
      const values = request.args.get(name);
      if (values === undefined) return null;
      if (values.length > 1) return DUPLICATE;
      return { name, key: textOfHeader(values[0] ?? '') };
    }

    function searchHead(exchange: Exchange): Search {
      for (const name of names) {
        const found = inHead(exchange, name);
        if (found !== null) return found;
      }
      return null;
    }

    /** Name by name: the body is asked for each name that the head does not have. */
    function searchAll(exchange: Exchange, body: Buffer, type: string): Search {
      for (const name of names) {
        const found = inHead(exchange, name) ?? inFields(body, type, name.name);
        if (found !== null) return found;
      }
      return null;
    }

    function hideInHead({ request, upstreamRequest }: Exchange, name: string): void {
      for (const spelling of spellingsOf(name)) upstreamRequest.headers.remove(spelling);
      if (request.args.has(name)) upstreamRequest.query = withoutArgument(upstreamRequest.query, name);
    }

    function conclude(exchange: Exchange, found: Search): Attempt {
      if (found === DUPLICATE) return refusals[DUPLICATE];
      if (found === null || found.key === '') return refusals[NOWHERE];
      if (config.hide_credentials) hideInHead(exchange, found.name);
      const credential = entities.find('keyauth_credentials', 'key', found.key);
      if (credential === null) return refusals[UNKNOWN];
      const consumerId = credential.consumer.id;
      const consumer = entities.get('consumers', consumerId);
      // It has just been deleted, and its key is about to be.
      if (consumer === null) return refusals[UNKNOWN];
      return { consumer, credential: { id: credential.id, consumerId }, identifier: credential.id };
    }

    async function attemptWithBody(exchange: Exchange, type: string): Promise<Attempt> {
      const body = await exchange.request.body({ limit: MAX_BODY });
      const found = searchAll(exchange, body, type);
      if (config.hide_credentials && found !== null && found !== DUPLICATE) {
        const shorter = withoutFields(body, type, found.name);
        if (shorter.length < body.length) exchange.upstreamRequest.setBody(shorter);
      }
      return conclude(exchange, found);
    }

    function attempt(exchange: Exchange): Attempt | Promise<Attempt> {
      if (!inBody) return conclude(exchange, searchHead(exchange));
      const { bodyLength, headers: lines } = exchange.request;
      const type = lines.get('content-type') ?? '';
      const readable = bodyForm(type) !== null && (bodyLength ?? 1) > 0 && (bodyLength ?? 0) <= MAX_BODY;
      if (!readable) return conclude(exchange, searchHead(exchange));
      // The first name decides where it stands; only its absence, or hiding it, makes the body worth reading.
      const first = names[0] === undefined ? null : inHead(exchange, names[0]);
      if (first !== null && !config.hide_credentials) return conclude(exchange, first);
      return attemptWithBody(exchange, type);
    }
    return { access: authentication(gateway, config, attempt) };
  },
});

/** As configured, and with hyphens for underscores: to Kong `api_key` is the header `api-key`, too. */
function spellingsOf(name: string): readonly string[] {
  const lower = name.toLowerCase();
  return lower.includes('_') ? [lower, lower.replaceAll('_', '-')] : [lower];
}

function inFields(body: Buffer, type: string, name: string): Search {
  const fields = fieldsNamed(body, type, name);
  const [field] = fields;
  if (field === undefined) return null;
  if (fields.length > 1 || field.many) return DUPLICATE;
  return field.value === null ? null : { name, key: field.value };
}
