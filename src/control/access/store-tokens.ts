/**
 * Grants in the configuration's store: what is made on one node holds on all, and the log has who made what. Restoring
 * an earlier revision does not touch them: a token that was revoked must not come back with a rollback.
 */
import { ADMIN_TOKENS } from '../../entities/admin-token.ts';
import type { Values } from '../../entities/schema/field.ts';
import type { Author, ConfigStore } from '../../store/config-store.ts';
import { CODES, StoreError } from '../../store/errors.ts';
import { SealingError } from '../../store/seal-keys.ts';
import { parseGrant } from './grants-format.ts';
import { type Grant, GrantsUnreadable, type TokenStore } from './token-store.ts';

export class StoreTokens implements TokenStore {
  readonly #store: ConfigStore;

  constructor(store: ConfigStore) {
    this.#store = store;
  }

  findToken(sha256: Uint8Array): Promise<Grant | null> {
    const key = Buffer.from(sha256).toString('hex');
    return reading(() => grantOrNull(this.#store.get(ADMIN_TOKENS, { key, by: 'sha256' })));
  }

  findCertificate(subjects: readonly string[]): Promise<Grant | null> {
    return reading(() => {
      for (const key of subjects) {
        const found = this.#store.get(ADMIN_TOKENS, { key, by: 'subject' });
        if (found !== null) return grantOf(found);
      }
      return null;
    });
  }

  list(): Promise<readonly Grant[]> {
    return reading(() => {
      const grants = [...this.#store.all(ADMIN_TOKENS)].map(grantOf);
      return grants.sort((a, b) => a.created - b.created || (a.name < b.name ? -1 : 1));
    });
  }

  /** @throws StoreError when the certificate has a grant already, StoreUnavailable */
  async create(grant: Grant): Promise<boolean> {
    const message = `admin token '${grant.name}' for the role ${grant.role}`;
    try {
      await this.#store.commit([{ op: 'create', kind: ADMIN_TOKENS, input: inputOf(grant) }], {
        author: byCommand(message),
      });
      return true;
    } catch (error) {
      const taken = error instanceof StoreError && error.code === CODES.uniqueViolation.code;
      if (!taken) throw error;
      if (this.#store.get(ADMIN_TOKENS, { key: grant.name }) !== null) return false;
      const what = grant.proof.type === 'token' ? 'the token' : grant.proof.subject;
      throw new StoreError(CODES.uniqueViolation, `${what} has a grant already`);
    }
  }

  async revoke(name: string): Promise<boolean> {
    const { results } = await this.#store.commit(
      [{ op: 'delete', kind: ADMIN_TOKENS, select: { key: name } }],
      { author: byCommand(`admin token '${name}' is revoked`) },
    );
    return results[0]?.happened === true;
  }
}

function byCommand(message: string): Author {
  return { name: null, source: 'cli', message };
}

function inputOf({ name, role, kinds, tags, created, expires, proof }: Grant): Values {
  const shown = proof.type === 'token' ? { sha256: proof.sha256 } : { subject: proof.subject };
  return { name, role, only_kinds: kinds, only_tags: tags, created, expires, ...shown };
}

function grantOrNull(entity: Values | null): Grant | null {
  return entity === null ? null : grantOf(entity);
}

/** @throws GrantsUnreadable for what this version does not understand: it must not widen a grant. */
function grantOf(entity: Values): Grant {
  const { name, role, only_kinds: kinds, only_tags: tags, created, expires, sha256, subject } = entity;
  const proof = typeof sha256 === 'string' ? { type: 'token', sha256 } : { type: 'certificate', subject };
  const grant = parseGrant({ name, role, kinds, tags, created, expires, proof });
  if (grant === null) throw new GrantsUnreadable(`the grant ${String(entity['id'])} in the store is damaged`);
  return grant;
}

/** @throws GrantsUnreadable when the key of the seals is missing. */
function reading<T>(read: () => T): Promise<T> {
  try {
    return Promise.resolve(read());
  } catch (error) {
    const known = error instanceof SealingError ? new GrantsUnreadable(error.message) : error;
    return Promise.reject(known instanceof Error ? known : new Error(String(known)));
  }
}
