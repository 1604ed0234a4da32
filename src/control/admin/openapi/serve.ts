/** `/openapi.json` and `/endpoints`: what this API has. The document is made once for a flavour of the router. */
import { DEFINITIONS } from '../../../entities/registry.ts';
import type { RouterFlavor } from '../../../entities/schema/field.ts';
import { GROUP_ENDPOINTS } from '../consumer-group-endpoints.ts';
import type { Gateway } from '../../main.ts';
import { type Methods, json, jsonText } from '../resource.ts';
import { type ApiEndpoint, SPECIAL_ENDPOINTS } from '../special-endpoints.ts';
import { openApiDocument } from './document.ts';
import { entityEndpoints } from './entity-endpoints.ts';

/** Every endpoint, in Kong's order: by segments, so that `/a/z` comes before `/ab`. */
export function allEndpoints(): ApiEndpoint[] {
  const byPath = new Map<string, ApiEndpoint>();
  // The last one wins: consumer groups answer some of Kong's general paths in a way of their own.
  for (const one of [...entityEndpoints(), ...SPECIAL_ENDPOINTS, ...GROUP_ENDPOINTS])
    byPath.set(one.path, one);
  const sorted = [...byPath.values()].map((one): [string, ApiEndpoint] => [
    one.path.replaceAll('/', '\0'),
    one,
  ]);
  return sorted.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

export function openapi({ reloader }: Gateway): Methods {
  let made: { readonly flavor: RouterFlavor; readonly text: string } | null = null;
  return {
    GET: () => {
      const flavor = reloader.settings.router_flavor;
      if (made?.flavor !== flavor) {
        const endpoints = allEndpoints();
        const document = openApiDocument({ definitions: DEFINITIONS, endpoints, flavor });
        made = { flavor, text: JSON.stringify(document) };
      }
      return jsonText(200, made.text);
    },
  };
}

export function endpoints(): Methods {
  const data = allEndpoints().map(({ path }) => path);
  return { GET: () => json(200, { data }) };
}
