/**
 * `/schemas`: what entities look like, and whether an input would be one. Validation is that of a write, save that
 * nothing is looked up: a reference only has to look like one.
 */
import { describeKind } from '../../entities/descriptions/describe.ts';
import { fromKinds } from '../../entities/plugin-entities.ts';
import { allDefinitions } from '../../entities/registry.ts';
import type { CheckContext, EntityDefinition, EntityVariant, Values } from '../../entities/schema/field.ts';
import type { Issue } from '../../entities/schema/issue.ts';
import { printDefinition, printField, printSchema } from '../../entities/schema/print.ts';
import { tags, uuid } from '../../entities/typedefs.ts';
import { schemaViolation } from '../../store/errors.ts';
import { allKinds } from '../../store/file/kinds.ts';
import { ROUTE_CHECKS } from '../../store/file/route-checks.ts';
import type { Gateway } from '../gateway.ts';
import { readArguments } from './body/arguments.ts';
import { enabledPlugins, pluginProblem } from './plugin-list.ts';
import { type AdminContext, type Handler, type Methods, json } from './resource.ts';

/** Kong's view of tags is a kind with a schema, too. */
const TAGS: EntityDefinition = {
  name: 'tags',
  fields: {
    tag: tags.elements,
    entity_name: { type: 'string', required: true },
    entity_id: { ...uuid, required: true },
  },
};

const byName = fromKinds(
  (): ReadonlyMap<string, EntityDefinition> =>
    new Map([...allDefinitions(), TAGS].map((one) => [one.name, one])),
);

/** `/schemas/{name}` */
export function entitySchema({ reloader }: Gateway): Methods {
  return {
    GET: (context) => {
      const name = param(context, 'name');
      const definition = byName().get(name);
      if (definition === undefined) return noEntity(name);
      return json(200, printDefinition(definition, reloader.settings.router_flavor, describeKind(name)));
    },
  };
}

/** `/schemas/{name}/validate`, and the same for a kind that the path names. */
export function validateEntity(gateway: Gateway, kind: string | null): Methods {
  return {
    POST: async (context) => {
      const name = kind ?? param(context, 'name');
      const definition = byName().get(name);
      if (definition === undefined) return noEntity(name);
      const { nginx_admin_client_max_body_size: limit, router_flavor: flavor } = gateway.reloader.settings;
      const input = await readArguments(context, { limit, flavor, definition, stored: () => null });
      const issues = problemsOf(gateway, name, input);
      if (issues === null) return noEntity(name);
      if (issues.length > 0) return json(400, schemaViolation(issues).toBody());
      return json(200, { message: 'schema validation successful' });
    },
  };
}

function problemsOf({ reloader }: Gateway, name: string, input: Values): readonly Issue[] | null {
  const kind = allKinds().get(name);
  if (kind === undefined) return null;
  const { settings } = reloader;
  const disabled = name === 'plugins' ? pluginProblem(input['name'], settings) : null;
  if (disabled !== null) return [{ at: ['name'], message: disabled }];
  const now = Math.floor(Date.now() / 1000);
  const context: CheckContext = { flavor: settings.router_flavor, now, ...ROUTE_CHECKS };
  return kind.validator.validate({ input }, context).issues ?? [];
}

/** `/schemas/plugins/{name}` */
export function pluginSchema({ reloader }: Gateway): Methods {
  return {
    GET: (context) => {
      const name = param(context, 'name');
      return variantSchema('plugins', enabledPlugins(reloader.settings).get(name)) ?? noPlugin(name);
    },
  };
}

/** `/plugins/schema/{name}`: the configuration alone. */
export function pluginConfigSchema({ reloader }: Gateway): Methods {
  return {
    GET: (context) => {
      const name = param(context, 'name');
      const config = enabledPlugins(reloader.settings).get(name)?.fields['config'];
      if (config === undefined) return noPlugin(name);
      return json(
        200,
        printField(config, () => undefined, 'config'),
      );
    },
  };
}

/** `/schemas/vaults/{name}` */
export function vaultSchema(): Methods {
  const vaults = byName().get('vaults')?.subschemas;
  return {
    GET: (context) => {
      const name = param(context, 'name');
      const schema = variantSchema('vaults', vaults?.get(name));
      return schema ?? json(404, { message: `No vault named '${name}'` });
    },
  };
}

/** `/schemas/filters/{name}`: there are none. */
export const filterSchema: Handler = (context) =>
  json(404, { message: `Filter '${param(context, 'name')}' not found` });

function variantSchema(kind: string, variant: EntityVariant | undefined): Response | null {
  if (variant === undefined) return null;
  return json(200, printSchema(variant.fields, variant.entity_checks, describeKind(kind)));
}

function param(context: AdminContext, name: string): string {
  return context.req.param(name) ?? '';
}

function noEntity(name: string): Response {
  return json(404, { message: `No entity named '${name}'` });
}

function noPlugin(name: string): Response {
  return json(404, { message: `No plugin named '${name}'` });
}
