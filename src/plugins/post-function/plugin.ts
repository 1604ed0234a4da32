/** post-function: an operator's snippets of JavaScript, after all other plugins. */
import { definePlugin } from '../kit/define.ts';
import { snippetFilters } from '../pre-function/snippets.ts';
import { postFunction } from './schema.ts';

export default definePlugin({ ...postFunction, create: snippetFilters });
