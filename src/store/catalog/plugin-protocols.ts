/**
 * A plugin has a protocol in common with the route that it is on, or with one of the routes of its service. Kong asks
 * only when a write says protocols (a PATCH: or what the plugin is on): its default knows nothing of streams.
 */
import type { Values } from '../../entities/schema/field.ts';
import { schemaViolation } from '../errors.ts';
import type { Rows } from './rows.ts';

const ROUTE = "must match the associated route's protocols";
const SERVICE = "must match the protocols of at least one route pointing to this Plugin's service";

/** @param entity complete. @throws StoreError */
export function checkProtocols(rows: Rows, input: Values, entity: Values, patch: boolean): void {
  const asked = patch ? ['protocols', 'route', 'service'] : ['protocols'];
  if (!asked.some((name) => Object.hasOwn(input, name))) return;
  const protocols = entity['protocols'] as readonly string[];
  const shares = (id: string): boolean => {
    const route = rows.raw('routes', id);
    return route === null || (route['protocols'] as readonly string[]).some((one) => protocols.includes(one));
  };
  const route = idOf(entity['route']);
  const service = idOf(entity['service']);
  if (route !== null) {
    if (!shares(route)) throw schemaViolation([{ at: ['protocols'], message: ROUTE }]);
  } else if (service !== null) {
    const routes = rows.ids('routes', { size: -1, within: { field: 'service', id: service } });
    if (routes.length > 0 && !routes.some(shares)) {
      throw schemaViolation([{ at: ['protocols'], message: SERVICE }]);
    }
  }
}

function idOf(reference: unknown): string | null {
  return (reference as { readonly id: string } | null | undefined)?.id ?? null;
}
