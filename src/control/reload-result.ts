/** How a change of the configuration ended. */
export type ReloadResult =
  | {
      readonly ok: true;
      readonly message: string;
      readonly revision: number;
      readonly warnings: readonly string[];
      /** JSON of the entities, when wanted. */
      readonly entities: Uint8Array<ArrayBuffer> | null;
      readonly unchanged: boolean;
    }
  | {
      readonly ok: false;
      /** HTTP status for it. */
      readonly status: number;
      readonly message: string;
      readonly errors: readonly string[];
      /** Kong's error body, JSON. */
      readonly body: string;
    };

export function failed(
  status: number,
  message: string,
  errors: readonly string[] = [],
  body?: string,
): ReloadResult {
  return { ok: false, status, message, errors, body: body ?? JSON.stringify({ message }) };
}

/** Errors of a refused reload that the log lists; its answer has all. Who tries again and again must not fill a disk. */
const LOGGED_ERRORS = 20;

export function refusalText({ message, errors }: ReloadResult & { readonly ok: false }): string {
  const more = errors.length - LOGGED_ERRORS;
  const listed = [message, ...errors.slice(0, LOGGED_ERRORS)].join('\n  ');
  return more > 0 ? `${listed}\n  and ${more} more` : listed;
}
