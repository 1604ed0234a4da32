/** Kong's bot-detection. */
import { describePlugin } from '../../entities/plugin-description.ts';
import { regexProblem } from '../../entities/formats/regex.ts';

const expressions = {
  type: 'array',
  default: [],
  elements: {
    type: 'string',
    custom_validator: (source: string) => {
      const problem = regexProblem(source);
      return problem === null ? null : `not a valid regex: ${problem}`;
    },
  },
} as const;

export const botDetection = describePlugin({
  name: 'bot-detection',
  priority: 2500,
  description: 'Keeps out clients whose User-Agent is that of a bot, a crawler or an HTTP library.',
  never: ['consumer', 'consumer_group'],
  example: { allow: ['Googlebot/', 'our-monitor/\\d'], deny: ['(?i)scanner'] },
  config: {
    allow: {
      ...expressions,
      description: 'Regular expressions (RE2) of user agents that may pass, whatever else is said of them.',
    },
    deny: {
      ...expressions,
      description:
        'Regular expressions (RE2) of user agents that are kept out, besides those that are known. ' +
        'As in Kong those are not only crawlers: axios, okhttp, Go-http-client, Python-urllib and the like are among them.',
    },
  },
});
