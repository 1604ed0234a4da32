/** The router's own reading of regexes and expressions: what passes here compiles in every worker. */
import type { CheckContext } from '../../entities/schema/field.ts';
import { parseExpression } from '../../router/expressions/parser.ts';
import { CompiledRegex } from '../../router/regex.ts';

const HTTP: ReadonlySet<string> = new Set(['http', 'https', 'grpc', 'grpcs']);

/** Regexes that have been judged, here or in an earlier file: to compile them is a third of reading it again. */
const judged = new Map<string, string | null>();
const MAX_JUDGED = 20_000;

export const ROUTE_CHECKS: Pick<CheckContext, 'checkRegex' | 'checkExpression'> = {
  checkRegex(source) {
    let problem = judged.get(source);
    if (problem !== undefined) return problem;
    problem = problemOf(() => new CompiledRegex(source));
    if (judged.size >= MAX_JUDGED) judged.clear();
    judged.set(source, problem);
    return problem;
  },
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
