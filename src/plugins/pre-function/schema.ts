/** Kong's pre-function and post-function: the same fields, but the snippets are JavaScript. */
import { ALL_PROTOCOLS, describePlugin } from '../../entities/plugin-description.ts';
import type { EntityCheck, Field } from '../../entities/schema/field.ts';
import { functionBodyProblem } from '../../lib/quickjs/check.ts';

/** Phases in which snippets run, as the fields are called. */
export const SNIPPET_PHASES = [
  'certificate',
  'rewrite',
  'access',
  'header_filter',
  'body_filter',
  'log',
] as const;
export type SnippetPhase = (typeof SNIPPET_PHASES)[number];
/** What the body of a snippet can name. */
export const SNIPPET_PARAMETERS = 'kong, chunk, last';

const GUIDE = 'docs/guide/snippets.md';
/** Octets of one snippet. */
const LONGEST = 256 * 1024;

/** What Lua has and JavaScript reads as something else, or not at all. */
const LUA: readonly RegExp[] = [
  /^\s*--(?!>)/m,
  /^\s*local\s+(?:function\s+)?[A-Za-z_]/m,
  /\bthen\b[\s\S]*\bend\b/,
  /\bfunction\b[^{]*\)[^{]*\bend\b/,
  /\bdo\b[\s\S]*\bend\b/,
  /\belseif\b|~=|\bnil\b|"\s*\.\.|\.\.\s*"|\brequire\s*"/,
  /\b(?:kong|ngx)\.[a-z_.]+/,
];
/** nginx's Lua API, which is not there; unless the snippet has a variable of that name. */
const NGX = /(?<![.\w$])ngx\s*[.[]/;
const OWN_NGX = /\b(?:const|let|var|function|class)\s+ngx\b/;

/** Null, or why the text cannot be a snippet. */
export function snippetProblem(source: string, plugin: string): string | null {
  if (source.length > LONGEST) return `error parsing ${plugin}: longer than ${LONGEST} characters`;
  if (source.includes('\0')) return `error parsing ${plugin}: it has a null character`;
  const problem = functionBodyProblem(source, SNIPPET_PARAMETERS, plugin);
  if (problem === null) {
    if (!NGX.test(source) || OWN_NGX.test(source)) return null;
    return `error parsing ${plugin}: there is no ngx here, only kong: ${GUIDE} says what stands for what`;
  }
  if (!LUA.some((sign) => sign.test(source))) return `error parsing ${plugin}: ${problem}`;
  return (
    `error parsing ${plugin}: this looks like Lua, and snippets are JavaScript here: ` +
    `write it anew, as ${GUIDE} shows (${problem})`
  );
}

function snippets(plugin: string, description: string) {
  return {
    type: 'array',
    required: true,
    default: [],
    elements: { type: 'string', custom_validator: (source: string) => snippetProblem(source, plugin) },
    description,
  } as const satisfies Field;
}

/** Both plugins have these. */
export function snippetFields(plugin: string) {
  return {
    certificate: snippets(plugin, 'JavaScript that runs when a TLS handshake begins.'),
    rewrite: snippets(plugin, 'JavaScript that runs before the route is known.'),
    access: snippets(plugin, 'JavaScript that runs before the upstream is asked.'),
    header_filter: snippets(plugin, "JavaScript that runs on a response's head."),
    body_filter: snippets(plugin, "JavaScript that runs on each piece of a response's body."),
    log: snippets(plugin, 'JavaScript that runs when the response has been sent.'),
  };
}

export const SNIPPET_CHECKS: readonly EntityCheck[] = [
  { at_least_one_of: SNIPPET_PHASES.map((phase) => `config.${phase}`) },
];

export const preFunction = describePlugin({
  name: 'pre-function',
  priority: 1_000_000,
  description: 'Runs snippets of JavaScript before all other plugins.',
  protocols: ALL_PROTOCOLS,
  never: ['consumer', 'consumer_group'],
  config: snippetFields('pre-function'),
  entityChecks: SNIPPET_CHECKS,
  example: {
    access: [
      `if (kong.request.getHeader('x-maintenance')) {
  kong.response.exit(503, { message: 'back soon' }, { 'Retry-After': '60' })
}
kong.service.request.setHeader('x-seen-by', 'pre-function')`,
    ],
  },
});
