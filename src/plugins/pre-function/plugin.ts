/** pre-function: an operator's snippets of JavaScript, before all other plugins. */
import { definePlugin } from '../kit/define.ts';
import { preFunction } from './schema.ts';
import { snippetFilters } from './snippets.ts';

export default definePlugin({ ...preFunction, create: snippetFilters });
