/** `sluice admin token create`: lets somebody use the Admin API. */
import {
  CommandError,
  EXIT_OK,
  EXIT_USAGE,
  SETTINGS_OPTIONS,
  SETTINGS_OPTIONS_HELP,
  stringOption,
  type Command,
  type Invocation,
} from '../command.ts';
import type { Grant, Proof, Role } from '../../control/access/token-store.ts';

export const command: Command = {
  help: `Usage: sluice admin token create --name NAME [OPTIONS]

Makes a token for the Admin API and prints it, this once: only its hash is
kept, with the configuration, or in PREFIX/admin-tokens.json without a
database. A running gateway knows it at once, and so do the others on its
database. With --certificate, lets in the bearer of a client certificate
instead.

  --name NAME           who it is for; it is the author of changes
  --role ROLE           read (default): everything but secrets
                        write: also change entities
                        admin: also the node itself
  --kinds KINDS         role write: only these kinds, as services,routes
  --tags TAGS           role write: only entities with one of these tags
  --expires TIME        as 12h, 30d or 8w; default: never
  --certificate NAME    a name of the certificate, as CN:deploy,
                        DNS:deploy.example.com or URI:spiffe://example/deploy

Options:
${SETTINGS_OPTIONS_HELP}`,
  options: {
    ...SETTINGS_OPTIONS,
    name: { type: 'string' },
    role: { type: 'string' },
    kinds: { type: 'string' },
    tags: { type: 'string' },
    expires: { type: 'string' },
    certificate: { type: 'string' },
  },
  positionals: [0, 0],
  async run(invocation) {
    const [access, { mintToken, hashToken }, { allDefinitions }, { openTokens }] = await Promise.all([
      import('../../control/access/token-store.ts'),
      import('../../control/access/token.ts'),
      import('../../entities/registry.ts'),
      import('../admin-tokens.ts'),
    ]);
    const name = stringOption(invocation, 'name') ?? '';
    if (!access.GRANT_NAME.test(name)) throw usage('--name takes letters, digits and . _ @ -, at most 64');
    const role = roleOf(invocation, access.ROLES);
    const subject = stringOption(invocation, 'certificate');
    if (subject !== undefined && !access.CERTIFICATE_SUBJECT.test(subject)) {
      throw usage('--certificate takes CN:…, DNS:…, URI:… or email:…');
    }
    const token = subject === undefined ? mintToken() : null;
    const proof: Proof =
      token === null
        ? { type: 'certificate', subject: subject ?? '' }
        : { type: 'token', sha256: hashToken(token).toString('hex') };
    if (stringOption(invocation, 'kinds') !== undefined) {
      // Plugins bring kinds, too.
      const [{ readSettings }, { loadPlugins }] = await Promise.all([
        import('../read-settings.ts'),
        import('../user-plugins.ts'),
      ]);
      await loadPlugins(readSettings(invocation).settings, invocation.terminal);
    }
    const kinds = allDefinitions().map((definition) => definition.name);
    const now = Date.now();
    const grant: Grant = {
      name,
      role,
      ...limits(invocation, role, kinds),
      created: now,
      expires: expiry(invocation, now),
      proof,
    };
    const made = await openTokens(invocation, (tokens) => tokens.create(grant));
    if (!made) throw new CommandError(`there is a token named '${name}' already`);
    if (token === null) invocation.terminal.error(`certificates of ${subject} are let in`);
    else invocation.terminal.error('This is shown once:');
    if (token !== null) invocation.terminal.out(token);
    return EXIT_OK;
  },
};

function usage(problem: string): CommandError {
  return new CommandError(`${problem} (see 'sluice admin token create --help')`, EXIT_USAGE);
}

function roleOf(invocation: Invocation, roles: readonly Role[]): Role {
  const given = stringOption(invocation, 'role') ?? 'read';
  const role = roles.find((one) => one === given);
  if (role === undefined) throw usage(`--role takes one of: ${roles.join(', ')}`);
  return role;
}

function limits(invocation: Invocation, role: Role, known: readonly string[]): Pick<Grant, 'kinds' | 'tags'> {
  const kinds = listOption(invocation, 'kinds');
  const tags = listOption(invocation, 'tags');
  if ((kinds !== null || tags !== null) && role !== 'write') {
    throw usage('--kinds and --tags limit what the role write may change');
  }
  const unknown = kinds?.find((kind) => !known.includes(kind));
  if (unknown !== undefined) throw usage(`'${unknown}' is no kind; kinds are ${known.join(', ')}`);
  return { kinds, tags };
}

function listOption(invocation: Invocation, name: string): readonly string[] | null {
  const value = stringOption(invocation, name);
  if (value === undefined) return null;
  const items = value.split(',').map((item) => item.trim());
  if (items.includes('')) throw usage(`--${name} takes names, separated by commas`);
  return [...new Set(items)];
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

function expiry(invocation: Invocation, now: number): number | null {
  const value = stringOption(invocation, 'expires');
  if (value === undefined || value === 'never') return null;
  const match = /^([1-9]\d{0,4})([mhdw])$/.exec(value);
  if (match === null) throw usage('--expires takes a time as 30m, 12h, 30d or 8w');
  return now + Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
}
