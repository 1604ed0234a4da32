/** Registers every endpoint of the table with what its shape does. */
import { create, createNested, list, listNested } from './crud/collection.ts';
import {
  addMember,
  listMembers,
  readGroup,
  readMember,
  removeMember,
  removeMembers,
} from './crud/consumer-groups.ts';
import * as entity from './crud/entity.ts';
import * as records from './crud/records.ts';
import { readHealth, setHealth } from './crud/health.ts';
import { readForeign, removeForeign, replaceForeign, updateForeign } from './crud/foreign.ts';
import { type Admin, AdminRequest } from './crud/request.ts';
import { listTag, listTags } from './crud/tags.ts';
import { listTargets, readTarget, removeTarget, updateTarget } from './crud/targets.ts';
import { isRecordKind } from '../../entities/registry.ts';
import { WHOLE } from '../access/principal.ts';
import { ENDPOINTS, type Endpoint, type Method, type Shape, honoPath } from './endpoints.ts';
import { listen } from './history/events.ts';
import { listRevisions, readDiff, readRevision, restoreRevision } from './history/revisions.ts';
import { transact } from './history/transactions.ts';
import { pluginKindResources } from './plugin-kinds.ts';
import { notFoundAnswer, RequestError } from './request-error.ts';
import { type AdminApp, type Handler, type Methods, resource } from './resource.ts';

type RequestHandler = (request: AdminRequest) => Response | Promise<Response>;

function noWasm(): never {
  throw new RequestError(400, 'this endpoint is only available when wasm is enabled');
}

function disabled(): never {
  throw notFoundAnswer();
}

const all = (handler: RequestHandler): Readonly<Record<Method, RequestHandler>> => ({
  GET: handler,
  POST: handler,
  PUT: handler,
  PATCH: handler,
  DELETE: handler,
});

const HANDLERS: Readonly<Record<Shape, Readonly<Partial<Record<Method, RequestHandler>>>>> = {
  collection: { GET: list, POST: create },
  entity: { GET: entity.read, PUT: entity.replace, PATCH: entity.update, DELETE: entity.remove },
  foreign: { GET: readForeign, PUT: replaceForeign, PATCH: updateForeign, DELETE: removeForeign },
  'nested-collection': { GET: listNested, POST: createNested },
  'nested-entity': {
    GET: entity.readNested,
    PUT: entity.replaceNested,
    PATCH: entity.updateNested,
    DELETE: entity.removeNested,
  },
  targets: { GET: listTargets, POST: createNested },
  'all-targets': { GET: listNested },
  target: { GET: readTarget, PUT: updateTarget, PATCH: updateTarget, DELETE: removeTarget },
  health: { GET: readHealth },
  'target-health': { PUT: setHealth },
  group: { GET: readGroup, PUT: entity.replace, PATCH: entity.update, DELETE: entity.remove },
  members: { GET: listMembers, POST: addMember, DELETE: removeMembers },
  member: { GET: readMember, DELETE: removeMember },
  tags: { GET: listTags },
  tag: { GET: listTag },
  wasm: all(noWasm),
  disabled: all(disabled),
  transactions: { POST: transact },
  revisions: { GET: listRevisions },
  revision: { GET: readRevision },
  diff: { GET: readDiff },
  restore: { POST: restoreRevision },
  events: { GET: listen },
};

/** Of kinds that are no configuration. */
const RECORD_HANDLERS: typeof HANDLERS = {
  ...HANDLERS,
  collection: { GET: records.list, POST: records.create },
  entity: { GET: records.read, PUT: records.replace, PATCH: records.update, DELETE: records.remove },
  'nested-collection': { GET: records.listNested, POST: records.createNested },
  'nested-entity': {
    GET: records.readNested,
    PUT: records.replaceNested,
    PATCH: records.updateNested,
    DELETE: records.removeNested,
  },
};

/** Handlers of these ask for each write what may be done. */
const OWN_QUESTIONS: ReadonlySet<Shape> = new Set(['transactions', 'members', 'member']);

export function registerEntities(app: AdminApp, admin: Admin): void {
  for (const endpoint of ENDPOINTS) {
    // The writes of a transaction are of any kind, and a membership is of neither kind that its path names.
    const kind = OWN_QUESTIONS.has(endpoint.shape) ? null : (endpoint.kind ?? WHOLE);
    resource(app, honoPath(endpoint), methodsOf(endpoint, admin), kind);
  }
  pluginKindResources(app, admin, methodsOf);
}

function methodsOf(endpoint: Endpoint, admin: Admin): Methods {
  const handlers = endpoint.methods.map((method): [Method, Handler] => [
    method,
    handlerOf(endpoint, method, admin),
  ]);
  return Object.fromEntries(handlers);
}

export function handlerOf(endpoint: Endpoint, method: Method, admin: Admin): Handler {
  const handlers = endpoint.kind !== null && isRecordKind(endpoint.kind) ? RECORD_HANDLERS : HANDLERS;
  const handler = handlers[endpoint.shape][method];
  if (handler === undefined) throw new Error(`nothing does ${method} ${endpoint.path}`);
  return async (context) => {
    const request = new AdminRequest(context, endpoint, admin);
    await request.store.refresh();
    return await handler(request);
  };
}
