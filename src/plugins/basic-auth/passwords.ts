/**
 * Whether a password is that of a credential.
 *
 * Stored are argon2id, or Kong's form, SHA-1 of password and consumer id, which is compared at once. An argon2id hash takes
 * tens of milliseconds in a thread of its own; what it came to is kept for five minutes, under a keyed hash of the row's id, what it
 * stores, and what was shown: a credential that is deleted, or whose password changes, has other rows, and nothing kept is of
 * any use to it. The password itself is not kept.
 *
 * Whoever fails has waited for an argon2id, whether there is such a user or not, and however the password is stored: time tells
 * nothing.
 */
import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { BasicauthCredential } from '../../entities/basicauth-credential.ts';
import { HashQueue } from '../../lib/hash-queue.ts';
import { isSecretHash, unknownSecretHash, verifySecret } from '../../lib/secret-hash.ts';

/** A worker's, for all configurations: some 20 ms each, so nobody waits longer than about a second and a half. */
const queue = new HashQueue({ max: 64 });

/** Whether the password is that of the hash. @throws HashQueueFull (rejection) */
type VerifyHash = (password: Buffer, text: string, client: string) => Promise<boolean>;

const verifyInQueue: VerifyHash = (password, text, client) => verifySecret(password, text, { queue, client });

const KEPT = 10_000;
const KEPT_MS = 300_000;
/** A wrong one: a client that is set up wrongly and asks on and on costs nothing. */
const KEPT_WRONG_MS = 5000;
const SHA1 = /^[0-9a-f]{40}$/;

interface Verdict {
  readonly right: boolean;
  /** `performance.now()`. */
  readonly until: number;
}

export class Passwords {
  readonly #key = randomBytes(32);
  readonly #nobody = unknownSecretHash();
  readonly #verdicts = new Map<string, Verdict>();
  readonly #running = new Map<string, Promise<boolean>>();
  readonly #verifyHash: VerifyHash;

  constructor(verifyHash: VerifyHash = verifyInQueue) {
    this.#verifyHash = verifyHash;
  }

  /**
   * @param credential null: there is no such user.
   * @param client who asks: of the places where guesses wait a client gets a share.
   * @throws HashQueueFull (rejection)
   */
  verify(
    credential: Pick<BasicauthCredential, 'id' | 'password' | 'consumer'> | null,
    password: Buffer,
    client: string,
  ): boolean | Promise<boolean> {
    const stored = credential?.password ?? '';
    if (credential !== null && SHA1.test(stored) && isSha1Of(stored, password, credential.consumer.id))
      return true;
    const strong = isSecretHash(stored);
    const text = strong ? stored : this.#nobody;
    const key = this.#keyOf(credential?.id ?? '', `${stored}\0${text}`, password);
    const kept = this.#verdicts.get(key);
    if (kept !== undefined && kept.until > performance.now()) return kept.right;
    return this.#once(key, () => this.#verifyHash(password, text, client));
  }

  #keyOf(id: string, stored: string, password: Buffer): string {
    return createHmac('sha256', this.#key).update(`${id}\0${stored}\0`).update(password).digest('latin1');
  }

  #once(key: string, verify: () => Promise<boolean>): Promise<boolean> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const promise = verify()
      .then((right) => this.#keep(key, right))
      .finally(() => this.#running.delete(key));
    this.#running.set(key, promise);
    return promise;
  }

  #keep(key: string, right: boolean): boolean {
    if (this.#verdicts.size >= KEPT) this.#makeRoom();
    this.#verdicts.delete(key);
    this.#verdicts.set(key, { right, until: performance.now() + (right ? KEPT_MS : KEPT_WRONG_MS) });
    return right;
  }

  /** Wrong ones first: guesses must not push out who knows the password. */
  #makeRoom(): void {
    const now = performance.now();
    for (const [key, { right, until }] of this.#verdicts)
      if (!right || until <= now) this.#verdicts.delete(key);
    const [oldest] = this.#verdicts.keys();
    if (this.#verdicts.size >= KEPT && oldest !== undefined) this.#verdicts.delete(oldest);
  }
}

function isSha1Of(stored: string, password: Buffer, consumerId: string): boolean {
  const found = hash('sha1', Buffer.concat([password, Buffer.from(consumerId)]), 'buffer');
  return timingSafeEqual(found, Buffer.from(stored, 'hex'));
}
