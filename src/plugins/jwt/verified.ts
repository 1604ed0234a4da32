/**
 * Tokens of one worker whose signature has been verified, so that it is verified once (docs/adr/0036-tokens-and-certificates.md).
 *
 * An entry says: this text was signed with the key of this row. Nothing else is remembered: times and claims are looked at
 * for each request, and an entry counts only as long as the directory answers the very same row for the token's key. A
 * credential that was deleted or changed has no such row any more, from the moment that the worker sees the change.
 *
 * Bounded by number and by characters, in two halves: what is used moves to the young one; when that is full, it becomes
 * the old one, and what was in the old one is forgotten. What expires goes this way, too.
 */
import type { JwtSecret } from '../../entities/jwt-secret.ts';
import type { JsonObject } from '../../lib/jose/compact.ts';

export interface VerifiedToken {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  readonly alg: string;
  readonly row: JwtSecret;
  /** How the row's secret was read. */
  readonly secretIsBase64: boolean;
}

/** Decoded, a token takes some times its length. */
const HALF_CHARACTERS = 1 << 20;
const HALF_ENTRIES = 4096;
/** A longer one is verified each time. */
const MAX_TOKEN = 16 << 10;

export class VerifiedTokens {
  #young = new Map<string, VerifiedToken>();
  #old = new Map<string, VerifiedToken>();
  #characters = 0;

  get(token: string): VerifiedToken | undefined {
    const young = this.#young.get(token);
    if (young !== undefined) return young;
    const old = this.#old.get(token);
    if (old !== undefined) this.set(token, old);
    return old;
  }

  set(token: string, verified: VerifiedToken): void {
    if (token.length > MAX_TOKEN) return;
    if (this.#young.size >= HALF_ENTRIES || this.#characters + token.length > HALF_CHARACTERS) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#characters = 0;
    }
    if (!this.#young.has(token)) this.#characters += token.length;
    this.#young.set(token, verified);
  }

  delete(token: string): void {
    this.#old.delete(token);
    if (this.#young.delete(token)) this.#characters -= token.length;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
