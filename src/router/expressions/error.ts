/** An expression that cannot be compiled. The message says what and where. */
export class ExpressionError extends Error {
  constructor(what: string, text: string, at: number) {
    const before = text.slice(0, at).split('\n');
    super(`${what} at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`);
  }
}
