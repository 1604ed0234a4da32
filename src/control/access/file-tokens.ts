/**
 * Grants in `PREFIX/admin-tokens.json`, for a gateway without a database. The file holds no token, only hashes, and yet
 * whoever could write it would be admin: it is refused when anybody but its owner may read or write it, and then nobody
 * is let in. Each look-up asks for the file's times, so that a running gateway follows `sluice admin token` at once.
 * Changes are made under a lock and replace the file as a whole.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../../lib/make-folder.ts';
import { type Grant, GrantsUnreadable, type TokenStore } from './token-store.ts';
import { parseGrants, printGrants } from './grants-format.ts';

const MAX_BYTES = 4 * 1024 * 1024;
const LOCK_WAIT_MS = 5000;
const LOCK_STEP_MS = 20;
const NO_FILE = 'none';

export class FileTokens implements TokenStore {
  readonly #path: string;
  #grants: readonly Grant[] = [];
  /** By the beginning of the hash: the rest is compared without telling how much of it fits. */
  #byHash = new Map<string, Grant>();
  /** What tells the file that was read from another. */
  #version = '';

  constructor(path: string) {
    this.#path = path;
  }

  async findToken(sha256: Uint8Array): Promise<Grant | null> {
    await this.#refresh();
    const given = Buffer.from(sha256);
    const grant = this.#byHash.get(bucket(given));
    if (grant?.proof.type !== 'token') return null;
    return timingSafeEqual(Buffer.from(grant.proof.sha256, 'hex'), given) ? grant : null;
  }

  async findCertificate(subjects: readonly string[]): Promise<Grant | null> {
    await this.#refresh();
    const known = ({ proof }: Grant): boolean =>
      proof.type === 'certificate' && subjects.includes(proof.subject);
    return this.#grants.find(known) ?? null;
  }

  async list(): Promise<readonly Grant[]> {
    await this.#refresh();
    return this.#grants;
  }

  create(grant: Grant): Promise<boolean> {
    return this.#change((grants) =>
      grants.some(({ name }) => name === grant.name) ? null : [...grants, grant],
    );
  }

  revoke(name: string): Promise<boolean> {
    return this.#change((grants) => {
      const rest = grants.filter((grant) => grant.name !== name);
      return rest.length === grants.length ? null : rest;
    });
  }

  /** @param change answers the grants as they shall be, or null to leave them. */
  async #change(change: (grants: readonly Grant[]) => readonly Grant[] | null): Promise<boolean> {
    makeFolder(dirname(this.#path));
    const lock = `${this.#path}.lock`;
    await takeLock(lock);
    try {
      await this.#refresh();
      const next = change(this.#grants);
      if (next === null) return false;
      await replaceFile(this.#path, printGrants(next));
      return true;
    } finally {
      await rm(lock, { force: true });
    }
  }

  async #refresh(): Promise<void> {
    const version = await versionOf(this.#path);
    if (version === this.#version) return;
    // Until it is known to be good again nobody is let in.
    this.#version = '';
    const read = version === NO_FILE ? { version, grants: [] } : await readGrants(this.#path);
    this.#grants = read.grants;
    this.#byHash = new Map(
      read.grants.flatMap((grant): [string, Grant][] =>
        grant.proof.type === 'token' ? [[bucket(Buffer.from(grant.proof.sha256, 'hex')), grant]] : [],
      ),
    );
    this.#version = read.version;
  }
}

/** Hashed once more, so that no time of a look-up tells of the hash at rest. */
function bucket(sha256: Uint8Array): string {
  return createHash('sha256').update(sha256).digest('latin1');
}

async function versionOf(path: string): Promise<string> {
  try {
    return version(await stat(path, { bigint: true }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NO_FILE;
    throw unreadable(path, error);
  }
}

function version({
  ino,
  size,
  mtimeNs,
  ctimeNs,
}: {
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}): string {
  return `${ino}/${size}/${mtimeNs}/${ctimeNs}`;
}

async function readGrants(path: string): Promise<{ version: string; grants: readonly Grant[] }> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile() || stats.size > MAX_BYTES) throw new GrantsUnreadable(`${path} is no file of tokens`);
    if ((stats.mode & 0o077n) !== 0n) {
      throw new GrantsUnreadable(`${path} may be used by others than its owner: chmod 600 ${path}`);
    }
    const grants = parseGrants(await file.readFile('utf8'));
    if (grants === null)
      throw new GrantsUnreadable(`${path} is damaged: restore it, or remove it and make new tokens`);
    return { version: version(stats), grants };
  } catch (error) {
    throw error instanceof GrantsUnreadable ? error : unreadable(path, error);
  } finally {
    await file?.close();
  }
}

function unreadable(path: string, error: unknown): GrantsUnreadable {
  return new GrantsUnreadable(
    `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
  );
}

async function takeLock(lock: string): Promise<void> {
  for (let waited = 0; ; waited += LOCK_STEP_MS) {
    try {
      await (await open(lock, 'wx', 0o600)).close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unreadable(lock, error);
      if (waited >= LOCK_WAIT_MS) {
        throw new GrantsUnreadable(
          `${lock} is there: somebody else changes the tokens, or died doing so; then remove it`,
        );
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_STEP_MS));
  }
}

/** Root makes tokens for a gateway that does not run as root, and so cannot read what is root's. */
async function giveToOwner(file: FileHandle, folder: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  await file.chown(uid, gid);
}

/** The text is on the disk before the file has it, and the name is before this returns. */
async function replaceFile(path: string, text: string): Promise<void> {
  const next = `${path}.${process.pid}`;
  const file = await open(next, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await giveToOwner(file, dirname(path));
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
