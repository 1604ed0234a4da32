/** Kong's post-function: pre-function at the other end of the chain. */
import { ALL_PROTOCOLS, describePlugin } from '../../entities/plugin-description.ts';
import { SNIPPET_CHECKS, snippetFields } from '../pre-function/schema.ts';

export const postFunction = describePlugin({
  name: 'post-function',
  priority: -1000,
  description: 'Runs snippets of JavaScript after all other plugins.',
  protocols: ALL_PROTOCOLS,
  never: ['consumer', 'consumer_group'],
  config: snippetFields('post-function'),
  entityChecks: SNIPPET_CHECKS,
  example: { header_filter: ["kong.response.setHeader('x-frame-options', 'DENY')"] },
});
