/** The router's own reading of regexes and expressions: what passes here compiles in every worker. */
import type { CheckContext } from '../../entities/schema/field.ts';
import { parseExpression } from '../../router/expressions/parser.ts';
import { CompiledRegex } from '../../router/regex.ts';

const HTTP: ReadonlySet<string> = new Set(['http', 'https', 'grpc', 'grpcs']);

export const ROUTE_CHECKS: Pick<CheckContext, 'checkRegex' | 'checkExpression'> = {
  checkRegex: (source) => problemOf(() => new CompiledRegex(source)),
  checkExpression: (expression, protocols) => {
    const subsystem = protocols.some((protocol) => HTTP.has(protocol)) ? 'http' : 'stream';
    return problemOf(() => parseExpression(expression, subsystem));
  },
};

/** The message is for the one who wrote the configuration, whatever kind of error it is. */
function problemOf(compile: () => unknown): string | null {
  try {
    compile();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
