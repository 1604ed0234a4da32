/**
 * `{vault://env/NAME}` and `{vault://env/NAME/KEY}` as the value of a setting: the environment variable NAME (upper
 * case, `-` as `_`), or one field of the JSON object in it. The environment is the only vault that Kong OSS has.
 */
import { InvalidValue } from './parse-value.ts';

export function isVaultReference(value: string): boolean {
  return value.startsWith('{vault://') && value.endsWith('}');
}

/** Throws InvalidValue; its message never shows a secret. */
export function resolveVaultReference(
  value: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const [vault, resource, key, ...rest] = value.slice('{vault://'.length, -1).split('/');
  if (vault !== 'env') throw new InvalidValue(`'${value}': the only vault is env, as in {vault://env/NAME}`);
  if (
    resource === undefined ||
    !/^[A-Za-z_][A-Za-z0-9_-]*$/.test(resource) ||
    key === '' ||
    rest.length > 0
  ) {
    throw new InvalidValue(`'${value}' is not of the form {vault://env/NAME} or {vault://env/NAME/KEY}`);
  }
  const variable = resource.toUpperCase().replaceAll('-', '_');
  const found = env[variable];
  if (found === undefined) throw new InvalidValue(`'${value}': the environment has no ${variable}`);
  return key === undefined ? found.trim() : field(value, variable, found, key);
}

function field(reference: string, variable: string, json: string, key: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw new InvalidValue(`'${reference}': ${variable} is not JSON`);
  }
  const found: unknown =
    typeof parsed === 'object' && parsed !== null && Object.hasOwn(parsed, key)
      ? (parsed as Record<string, unknown>)[key]
      : undefined;
  if (typeof found === 'string') return found;
  if (typeof found === 'number' || typeof found === 'boolean') return String(found);
  throw new InvalidValue(`'${reference}': ${variable} has no text or number named '${key}'`);
}
