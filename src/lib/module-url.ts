/** Address of a module beside another one, in the source tree (`.ts`) as in the built package (`.js`). */
export function moduleUrl(name: string, from: string): URL {
  return new URL(`${name}${from.endsWith('.ts') ? '.ts' : '.js'}`, from);
}
