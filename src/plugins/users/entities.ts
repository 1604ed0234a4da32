/** Whether the kinds of entity that a plugin brings can be: said in words for the plugin's author. */
import { ADDED_FIELDS, type PluginEntity, pluginKind } from '../../entities/plugin-entities.ts';
import { MAX_UNIQUE_FIELDS, PLUGIN_ROWS } from '../../entities/plugin-rows.ts';
import { DEFINITIONS, INTERNAL } from '../../entities/registry.ts';
import { EntityValidator } from '../../entities/schema/validate.ts';
import { fieldsProblem, isRecord, type Loose, shown } from './fields.ts';

const MAX_KINDS = 16;
const MAX_FIELDS = 64;
const NAME = /^[a-z][a-z0-9_]{1,47}$/;
const PATH = /^[a-z][a-z0-9_-]{1,47}$/;
const FIELD = /^[a-z][a-z0-9_]{0,47}$/;
/** What entities of plugins may belong to: also, these may have a list of them below their own path. */
const PARENTS: ReadonlySet<string> = new Set(['consumers', 'consumer_groups', 'services', 'routes']);

/** Segments of the Admin API's paths that are no kinds; a test holds that none is missing. */
const SEGMENTS = `all cache certificates clustering config consumers debug disabled enabled endpoints events filters
  groups health jwt-signer key-auth-enc key-auths-enc listeners log-level metrics node openapi.json plugins-api ready restore robots.txt
  revisions schema schemas sluice status tags timers transactions ui userinfo validate workspaces`;

const GATEWAYS = [...DEFINITIONS, ...INTERNAL];

const TAKEN_NAMES: ReadonlySet<string> = new Set([PLUGIN_ROWS].concat(GATEWAYS.map(({ name }) => name)));

/** Also names of fields of what they may belong to: entities nest there by their kind's name. */
const TAKEN: ReadonlySet<string> = new Set(
  SEGMENTS.split(/\s+/).concat(
    GATEWAYS.flatMap(({ name, admin_api_name: path, admin_api_nested_name: nested }) =>
      [path, nested].filter((word) => word !== undefined).concat(name),
    ),
    GATEWAYS.filter(({ name }) => PARENTS.has(name)).flatMap(
      ({ fields, shorthand_fields: shorthands = {} }) => Object.keys({ ...fields, ...shorthands }),
    ),
  ),
);

export function isTakenSegment(segment: string): boolean {
  return TAKEN.has(segment);
}

/** @param given what stands in `entities`. Null: nothing is wrong with it. */
export function entitiesProblem(given: unknown, plugin: string): string | null {
  if (given === undefined) return null;
  if (!Array.isArray(given)) return 'entities is no list';
  if (given.length > MAX_KINDS) return `entities: a plugin may bring ${MAX_KINDS} kinds`;
  const above = new Set<string>();
  for (const [at, one] of (given as unknown[]).entries()) {
    const place = isRecord(one) && typeof one['name'] === 'string' ? one['name'] : `entities[${at}]`;
    const problem = isRecord(one) ? kindProblem(one, above, plugin) : 'it is no object';
    if (problem !== null) return `entities: ${place}: ${problem}`;
    above.add(place);
  }
  return null;
}

function kindProblem(one: Loose, above: ReadonlySet<string>, plugin: string): string | null {
  const { name } = one;
  if (typeof name !== 'string' || !NAME.test(name))
    return `the name ${shown(name)} is not of 2 to 48 lower-case letters, digits and _, a letter first`;
  if (isOfObjects(name)) return `the name ${ofObjects(name)}`;
  if (above.has(name)) return 'there are two of this name';
  if (TAKEN_NAMES.has(name)) return 'the gateway has entities of this name: choose another';
  if (TAKEN.has(name)) return 'the gateway uses this name for something else: choose another';
  return (
    pathProblem(one) ??
    fieldProblems(one['fields'], above) ??
    keyProblem(one) ??
    ownerProblem(one) ??
    togetherProblem(one) ??
    (one['ttl'] === undefined || one['ttl'] === true ? null : 'ttl is true, or left out') ??
    compileProblem(one, plugin)
  );
}

/** What is not there would be found: `{}.constructor` is a function. */
function isOfObjects(name: string): boolean {
  return name in {};
}

function ofObjects(name: string): string {
  return `'${name}' is one that every object of JavaScript has: choose another`;
}

function pathProblem(one: Loose): string | null {
  for (const name of ['path', 'nestedPath'] as const) {
    const path = one[name];
    if (path === undefined) continue;
    if (typeof path !== 'string' || !PATH.test(path))
      return `${name} ${shown(path)} is not of 2 to 48 lower-case letters, digits, _ and -, a letter first`;
    if (isOfObjects(path)) return `${name}: ${ofObjects(path)}`;
    if (TAKEN.has(path)) return `${name}: the Admin API has '${path}' already: choose another`;
  }
  return null;
}

function fieldProblems(fields: unknown, above: ReadonlySet<string>): string | null {
  if (!isRecord(fields)) return 'fields is no object of fields';
  const entries = Object.entries(fields);
  if (entries.length > MAX_FIELDS) return `fields: a kind may have ${MAX_FIELDS}`;
  const own = entries.filter(([, field]) => !isRecord(field) || field['type'] !== 'foreign');
  const uniques = entries.filter(([, field]) => isRecord(field) && field['unique'] === true);
  if (uniques.length > MAX_UNIQUE_FIELDS) return `fields: ${MAX_UNIQUE_FIELDS} may be unique`;
  for (const [name, field] of entries) {
    const problem = fieldProblem(name, field, above);
    if (problem !== null) return `fields.${name}: ${problem}`;
  }
  return fieldsProblem(Object.fromEntries(own), 'fields', 0);
}

function fieldProblem(name: string, field: unknown, above: ReadonlySet<string>): string | null {
  if (ADDED_FIELDS.has(name)) return 'the gateway adds this field itself: choose another name';
  if (!FIELD.test(name)) return 'a name is of lower-case letters, digits and _, a letter first';
  if (isOfObjects(name)) return ofObjects(name);
  if (!isRecord(field)) return null;
  if (field['unique'] === true && field['type'] !== 'string') return 'only strings can be unique';
  if (field['type'] !== 'foreign') return null;
  const { reference } = field;
  if (typeof reference === 'string' && (PARENTS.has(reference) || above.has(reference))) return null;
  return `reference ${shown(reference)} is none of ${[...PARENTS, ...above].join(', ')}`;
}

function keyProblem({ endpointKey: key, fields }: Loose): string | null {
  if (key === undefined) return null;
  const field = isRecord(fields) && typeof key === 'string' ? fields[key] : undefined;
  if (isRecord(field) && field['type'] === 'string' && field['unique'] === true) return null;
  return `endpointKey ${shown(key)} is no field of type string that is unique`;
}

function ownerProblem({ owner, fields }: Loose): string | null {
  if (owner === undefined) return null;
  const field = isRecord(fields) && typeof owner === 'string' ? fields[owner] : undefined;
  return isRecord(field) && field['type'] === 'foreign' ? null : `owner ${shown(owner)} is no foreign field`;
}

function togetherProblem({ uniqueTogether: together, fields }: Loose): string | null {
  if (together === undefined) return null;
  const known = (name: unknown): boolean =>
    isRecord(fields) && typeof name === 'string' && Object.hasOwn(fields, name);
  const right = Array.isArray(together) && together.length > 1 && together.length <= 8;
  return right && together.every(known) ? null : 'uniqueTogether is no list of 2 to 8 of its fields';
}

/** What is left to be wrong shows when its checks are compiled and run. */
function compileProblem(one: Loose, plugin: string): string | null {
  try {
    const { definition } = pluginKind(plugin, one as unknown as PluginEntity);
    new EntityValidator(definition).validate({ input: {} }, { flavor: 'traditional_compatible', now: 1 });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @param plugins with the kinds that they bring: names and paths that two of them have. One line for each. */
export function kindConflicts(
  plugins: Iterable<{ readonly name: string; readonly entities?: readonly PluginEntity[] | undefined }>,
): string[] {
  const owners = new Map<string, string>();
  const problems: string[] = [];
  for (const { name: plugin, entities = [] } of plugins) {
    for (const { name, path = name, nestedPath = path } of entities) {
      for (const word of new Set([name, path, nestedPath])) {
        const other = owners.get(word);
        if (other !== undefined && other !== plugin)
          problems.push(`plugin ${plugin}: entities: ${name}: plugin ${other} has '${word}' already`);
        else owners.set(word, plugin);
      }
    }
  }
  return problems;
}
