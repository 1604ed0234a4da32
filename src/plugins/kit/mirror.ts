/**
 * What a plugin says of copies of requests: one policy, made once for a configuration and handed to requests in `access`.
 * The forward phase makes the copy, sends it beside the request and tells the policy what became of it.
 */
import type { NameSet } from '../../wire/folded-names.ts';

/** Why a copy was not sent. */
export type MirrorDrop =
  /** There are as many under way as there may be. */
  | 'in_flight'
  | 'body_too_large'
  /** The body was not here when the request was sent on: it streams. */
  | 'body_streamed'
  /** It asks for another protocol. */
  | 'upgrade'
  /** It is a copy itself. */
  | 'loop'
  /** The service is not there. */
  | 'no_service';

/** Where copies go, if not to a service. */
export interface MirrorUrl {
  readonly tls: boolean;
  /** A name, an address without brackets, or the name of an upstream. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tlsVerify: boolean;
}

export interface MirrorPolicy {
  /** A service by name or id, or a place. */
  readonly to: string | MirrorUrl;
  /** Milliseconds for the whole exchange. */
  readonly timeout: number;
  /** Octets of the request's body: a longer one is not copied. */
  readonly maxBody: number;
  /** Octets of the answer's body that are read, and thrown away. */
  readonly maxAnswer: number;
  /** The header that tells a copy from its request, and its value. */
  readonly mark: readonly [name: string, value: string];
  /** Headers that are not copied, in any spelling. */
  readonly removed: NameSet;
  /** The query of the copy. */
  query(query: string): string;
  /** Takes a place among those under way: false when there is none. Each that was taken ends in `sent` or `failed`. */
  enter(): boolean;
  dropped(reason: MirrorDrop): void;
  /** It was answered. @param ms until the head of the answer. */
  sent(status: number, ms: number): void;
  /** @param reason a word of a small set. */
  failed(reason: string): void;
}
