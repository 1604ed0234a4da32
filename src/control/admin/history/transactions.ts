/**
 * `POST /transactions`: many writes as one commit, or none of them. As JSON (`{"message", "writes": […]}`) within the
 * limit of other bodies, or as lines of JSON, one write in each, of which millions are possible: they are parsed one by
 * one while the commit takes them. A first line without `op` may give the message.
 */
import type { Values } from '../../../entities/schema/field.ts';
import type { Committed, Write } from '../../../store/config-store.ts';
import { CODES, StoreError } from '../../../store/errors.ts';
import { readBody } from '../body.ts';
import { bodyType } from '../body/content-type.ts';
import { parseObject } from '../body/json-text.ts';
import { checkMessage } from '../crud/conditions.ts';
import { checkKind, checkWriter } from '../crud/permission.ts';
import type { AdminRequest } from '../crud/request.ts';
import { RequestError } from '../request-error.ts';
import { resultBody } from './revisions.ts';
import { Spool } from './spool.ts';
import { parseWrite } from './write.ts';

const JSON_TYPE = 'application/json';
const ACCEPTED: ReadonlySet<string> = new Set([JSON_TYPE, 'application/x-ndjson', 'application/ndjson']);

/** Bodies that may be on their way at once. */
const MAX_SPOOLS = 8;
let spools = 0;

export async function transact(request: AdminRequest): Promise<Response> {
  checkWriter(request.principal);
  const type = bodyType(request.context, ACCEPTED);
  if (type === null) throw new RequestError(400, 'expected a list of writes');
  if (!request.store.writable) {
    throw new StoreError(CODES.operationUnsupported, 'cannot apply transactions when not using a database');
  }
  return type === JSON_TYPE ? await transactJson(request) : await transactLines(request);
}

async function transactJson(request: AdminRequest): Promise<Response> {
  const limit = request.admin.settings().nginx_admin_client_max_body_size;
  const body = parseObject(await readBody(request.context.req.raw, limit));
  if (body === null) throw new RequestError(400, 'Cannot parse JSON body');
  const { message, writes, ...rest } = body;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new RequestError(400, `unknown field '${unknown}'`);
  if (!Array.isArray(writes)) throw new RequestError(400, "'writes' must be an array");
  return await apply(request, messageOf(message), function* parsed() {
    for (const [index, value] of writes.entries()) yield at(index, () => parseWrite(value));
  });
}

async function transactLines(request: AdminRequest): Promise<Response> {
  if (spools >= MAX_SPOOLS) throw new RequestError(503, 'too many transactions are on their way');
  spools++;
  try {
    const settings = request.admin.settings();
    using spool = new Spool(settings.prefix);
    await spool.fill(request.context.req.raw, settings.admin_transaction_max_body_size);
    const max = settings.nginx_admin_client_max_body_size || Infinity;
    const first = await firstOf(spool.lines(max));
    const header = first !== null && !Object.hasOwn(first, 'op') ? first : null;
    const skip = header === null ? 0 : 1;
    return await apply(request, headerMessage(header), async function* parsed() {
      let index = -skip;
      for await (const line of spool.lines(max)) {
        if (index >= 0) yield at(index, () => parseWrite(parseObject(line)));
        index++;
      }
    });
  } finally {
    spools--;
  }
}

async function firstOf(lines: AsyncGenerator<Uint8Array>): Promise<Values | null> {
  const { value, done } = await lines.next();
  await lines.return(undefined);
  return done === true ? null : parseObject(value);
}

function headerMessage(header: Values | null): string | null {
  if (header === null) return null;
  const unknown = Object.keys(header).find((name) => name !== 'message');
  if (unknown !== undefined)
    throw new RequestError(400, `the first line has no 'op', and an unknown field '${unknown}'`);
  return messageOf(header['message']);
}

function messageOf(message: unknown): string | null {
  if (message === undefined || message === null) return null;
  if (typeof message !== 'string') throw new RequestError(400, "'message' must be a text");
  return checkMessage(message, 'message');
}

/** A write that is none says which it is. */
function at<T>(index: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof StoreError) error.index = index;
    if (!(error instanceof RequestError)) throw error;
    throw new RequestError(error.refusal.status, { message: `write ${index}: ${error.message}`, index });
  }
}

async function apply(
  request: AdminRequest,
  message: string | null,
  writes: () => Iterable<Write> | AsyncIterable<Write>,
): Promise<Response> {
  const entities = request.query.get('return')?.[0] === 'entities';
  const { revision: before } = request.store;
  const options = request.commitOptions();
  const author = message === null ? options.author : { ...options.author, message };
  const counted = new CountedWrites(request, writes, entities);
  let committed: Committed;
  try {
    committed = await request.store.commit(counted, { ...options, author, discardResults: !entities });
  } catch (error) {
    if (error instanceof StoreError)
      throw new RequestError(error.status, { ...error.toBody(), index: error.index });
    throw error;
  }
  const { counts, kinds } = counted;
  const body = { ...resultBody(request, committed, before), writes: counts };
  if (kinds === null) return request.answer(200, body, committed);
  const made = committed.results.map(({ entity }, index) =>
    entity === null ? null : request.show(entity, kinds[index] ?? ''),
  );
  return request.answer(200, { ...body, entities: made }, committed);
}

/** The writes, permitted and counted. Each iterator begins anew: a store may have to read them more than once. */
class CountedWrites implements AsyncIterable<Write> {
  counts: Record<Write['op'], number> = { create: 0, put: 0, patch: 0, delete: 0 };
  /** Only when they are shown: there may be very many. */
  kinds: string[] | null = null;
  readonly #request: AdminRequest;
  readonly #writes: () => Iterable<Write> | AsyncIterable<Write>;
  readonly #withKinds: boolean;

  constructor(
    request: AdminRequest,
    writes: () => Iterable<Write> | AsyncIterable<Write>,
    withKinds: boolean,
  ) {
    this.#request = request;
    this.#writes = writes;
    this.#withKinds = withKinds;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Write> {
    const { principal } = this.#request;
    this.counts = { create: 0, put: 0, patch: 0, delete: 0 };
    this.kinds = this.#withKinds ? [] : null;
    let index = 0;
    for await (const write of this.#writes()) {
      at(index++, () => checkKind(principal, write));
      this.counts[write.op]++;
      this.kinds?.push(write.kind);
      yield write;
    }
  }
}
