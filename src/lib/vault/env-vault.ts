/**
 * Kong's vault `env`: PREFIX and name in upper case, `-` as `_`, or one field of the JSON object in that variable.
 *
 * Whoever may write entities can make a reference and see what it stands for (as a header that a plugin adds), so the
 * variables that hold the keys of sealed secrets are not to be had.
 */
import { jsonField } from './json-field.ts';
import { type VaultReference, VaultError } from './reference.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const OWN_SECRETS = /^(?:SLUICE|KONG)_SECRET_KEYS$/;

/** @throws VaultError */
export function readEnvVault(reference: VaultReference, env: Environment, prefix: string): string {
  const { text, segments, whole } = reference;
  const [resource = '', key, ...rest] = segments;
  if (!/^[A-Za-z0-9_-]+$/.test(resource) || rest.length > 0 || (whole && key !== undefined)) {
    throw new VaultError(text, ' is not of the form {vault://env/NAME} or {vault://env/NAME/KEY}');
  }
  const variable = `${prefix}${resource}`.toUpperCase().replaceAll('-', '_');
  if (OWN_SECRETS.test(variable)) throw new VaultError(text, `${variable} is not for references`);
  const found = Object.hasOwn(env, variable) ? env[variable] : undefined;
  if (found === undefined) throw new VaultError(text, `the environment has no ${variable}`);
  return key === undefined ? found.trim() : jsonField(text, variable, found, key);
}
