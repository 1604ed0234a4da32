/**
 * The notation of Kong's vault references: `{vault://VAULT/PATH[/KEY][?ttl=…&neg_ttl=…&resurrect_ttl=…][#VERSION]}`.
 * Where the path ends and the key begins is the vault's own matter. Nothing here reads a secret.
 */

/** Its message names the reference and what is wrong, never a secret. */
export class VaultError extends Error {
  constructor(reference: string, problem: string) {
    super(`'${reference.slice(0, 300)}'${problem.startsWith(' ') ? '' : ': '}${problem}`);
    this.name = 'VaultError';
  }
}

/** Seconds; what is not said is undefined. */
export interface VaultTimes {
  /** How long a value is kept. */
  readonly ttl?: number;
  /** How long a failure is kept. */
  readonly neg_ttl?: number;
  /** How long a value serves on after its time when it cannot be read any more. */
  readonly resurrect_ttl?: number;
}

export interface VaultReference {
  /** As written. */
  readonly text: string;
  /** Kind of a vault, or the prefix of a configured one. */
  readonly vault: string;
  /** Percent-decoded; none is empty. */
  readonly segments: readonly string[];
  /** A slash at the end says that the last segment is no key. */
  readonly whole: boolean;
  readonly times: VaultTimes;
}

const MAX_LENGTH = 4096;
const TIMES = ['ttl', 'neg_ttl', 'resurrect_ttl'] as const;

export function isVaultReference(value: string): boolean {
  return value.startsWith('{vault://') && value.endsWith('}');
}

/** @throws VaultError */
export function parseVaultReference(text: string): VaultReference {
  const form = 'is not of the form {vault://VAULT/NAME} or {vault://VAULT/NAME/KEY}';
  if (!isVaultReference(text) || text.length > MAX_LENGTH) throw new VaultError(text, ` ${form}`);
  const inner = text.slice('{vault://'.length, -1);
  const match = /^([a-z][a-z0-9-]*)\/([^?#]+)(?:\?([^#]*))?(?:#(.*))?$/.exec(inner);
  if (match === null) throw new VaultError(text, ` ${form}`);
  const [, vault = '', path = '', query = '', version] = match;
  if (version !== undefined) throw new VaultError(text, 'versions (#N) are not supported');
  const whole = path.endsWith('/');
  const segments = (whole ? path.slice(0, -1) : path).split('/').map((part) => decode(text, part));
  if (segments.includes('')) throw new VaultError(text, ` ${form}`);
  return { text, vault, segments, whole, times: parseTimes(text, query) };
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new VaultError(text, 'a % must be followed by two hexadecimal digits');
  }
}

function parseTimes(text: string, query: string): VaultTimes {
  const times: Partial<Record<(typeof TIMES)[number], number>> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const known = TIMES.find((time) => time === name);
    if (known === undefined) throw new VaultError(text, `unknown option (known: ${TIMES.join(', ')})`);
    if (!/^\d{1,9}(\.\d{1,3})?$/.test(value))
      throw new VaultError(text, `${known} must be a number of seconds`);
    times[known] = Number(value);
  }
  return times;
}
