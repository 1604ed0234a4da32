/** `/openapi.json` and `/endpoints`: what this API has. The document is made once for a flavour of the router. */
import { kindsGeneration } from '../../../entities/plugin-entities.ts';
import { allDefinitions } from '../../../entities/registry.ts';
import type { RouterFlavor } from '../../../entities/schema/field.ts';
import type { Gateway } from '../../gateway.ts';
import { comparePaths, type Endpoint, ENDPOINTS, pluginKindEndpoints, type Shape } from '../endpoints.ts';
import { type Methods, json, jsonText } from '../resource.ts';
import { type ApiEndpoint, SPECIAL_ENDPOINTS } from '../special-endpoints.ts';
import { openApiDocument } from './document.ts';

const PAGES: ReadonlySet<Shape> = new Set<Shape>([
  ...(['collection', 'nested-collection', 'targets', 'all-targets', 'members'] as const),
  ...(['tags', 'tag', 'revisions'] as const),
]);

function described({ path, methods, kind, shape, summary }: Endpoint): ApiEndpoint {
  const member = kind === 'consumers' ? 'consumer' : 'group';
  // Nothing comes of bodies here.
  if (shape === 'wasm' || shape === 'disabled' || shape === 'health' || shape === 'target-health')
    return { path, methods, kind: null, answers: 'other', summary };
  const single = kind === null || shape === 'group' ? 'other' : 'entity';
  const answers = PAGES.has(shape) ? 'page' : single;
  const more = shape === 'members' ? { bodyField: member } : {};
  return { path, methods, kind, answers, summary, ...more };
}

/** Every endpoint, in Kong's order. */
export function allEndpoints(): ApiEndpoint[] {
  const entities = [...ENDPOINTS, ...pluginKindEndpoints()].map(described);
  return [...entities, ...SPECIAL_ENDPOINTS].sort((a, b) => comparePaths(a.path, b.path));
}

export function openapi({ reloader }: Gateway): Methods {
  let made: { readonly flavor: RouterFlavor; readonly kinds: number; readonly text: string } | null = null;
  return {
    GET: () => {
      const flavor = reloader.settings.router_flavor;
      const kinds = kindsGeneration();
      if (made?.flavor !== flavor || made.kinds !== kinds) {
        const endpoints = allEndpoints();
        const document = openApiDocument({ definitions: allDefinitions(), endpoints, flavor });
        made = { flavor, kinds, text: JSON.stringify(document) };
      }
      return jsonText(200, made.text);
    },
  };
}

export function endpoints(): Methods {
  return { GET: () => json(200, { data: allEndpoints().map(({ path }) => path) }) };
}
