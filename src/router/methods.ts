/** Methods as bits, so that most routes' methods are one integer. */

const BITS: ReadonlyMap<string, number> = new Map(
  ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'].map((method, i) => [
    method,
    1 << i,
  ]),
);

/** Any other method: its name must be compared. */
export const OTHER_METHOD = 1 << 16;

export function methodBit(method: string): number {
  return BITS.get(method) ?? OTHER_METHOD;
}

/** 0 when there are none. */
export function methodBits(methods: readonly string[] | null): number {
  let bits = 0;
  for (const method of methods ?? []) bits |= methodBit(method);
  return bits;
}
