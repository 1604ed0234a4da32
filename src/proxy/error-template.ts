/**
 * Templates of error bodies: Kong's four, or an operator's own files (`error_template_html` and its like).
 *
 * A template is text with two `%s`, for the message and the request id (one is enough, as in templates written for
 * older versions of Kong), and `%%` for a percent sign. It is cut at these once, so that filling it in is two
 * concatenations. What is filled in is escaped for the form.
 */
import type { ErrorForm } from './accept.ts';

export interface ErrorTemplate {
  readonly contentType: string;
  fill(message: string, requestId: string): string;
}

const CONTENT_TYPES: Readonly<Record<ErrorForm, string>> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
  plain: 'text/plain; charset=utf-8',
};

const lines = (...all: string[]): string => `${all.join('\n')}\n`;

/** The bytes that Kong sends, on which its clients' tests rely. */
export const DEFAULT_TEMPLATES: Readonly<Record<ErrorForm, string>> = {
  html: lines(
    '<!doctype html>',
    '<html>',
    '  <head>',
    '    <meta charset="utf-8">',
    '    <title>Error</title>',
    '  </head>',
    '  <body>',
    '    <h1>Error</h1>',
    '    <p>%s.</p>',
    '    <p>request_id: %s</p>',
    '  </body>',
    '</html>',
  ),
  json: '{\n  "message":"%s",\n  "request_id":"%s"\n}',
  xml: lines(
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<error>',
    '  <message>%s</message>',
    '  <requestid>%s</requestid>',
    '</error>',
  ),
  plain: '%s\nrequest_id: %s\n',
};

const ESCAPES: Readonly<Record<ErrorForm, (text: string) => string>> = {
  html: escapeMarkup,
  xml: escapeMarkup,
  json: (text) => JSON.stringify(text).slice(1, -1),
  plain: (text) => text,
};

/** @throws {SyntaxError} when the text has no `%s` or more than two. */
export function compileTemplate(form: ErrorForm, text: string): ErrorTemplate {
  const [before, between, after, ...rest] = cut(text);
  if (before === undefined || between === undefined || rest.length > 0) {
    throw new SyntaxError('a template has two "%s", for the message and the request id');
  }
  const escape = ESCAPES[form];
  const contentType = CONTENT_TYPES[form];
  if (after === undefined) return { contentType, fill: (message) => before + escape(message) + between };
  return {
    contentType,
    fill: (message, requestId) => before + escape(message) + between + escape(requestId) + after,
  };
}

/** The pieces around each `%s`, with `%%` made one percent sign; any other percent sign stands for itself. */
function cut(text: string): string[] {
  const pieces = [''];
  for (const part of text.split(/(%s|%%)/)) {
    if (part === '%s') pieces.push('');
    else pieces[pieces.length - 1] += part === '%%' ? '%' : part;
  }
  return pieces;
}

const MARKUP: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** All but plain characters: markup, and what XML 1.0 cannot hold at all, which becomes the replacement character. */
const NOT_PLAIN = /[^\t\n\r !#-%(-;=?-\ufffd]/g;

function escapeMarkup(text: string): string {
  return text.replace(NOT_PLAIN, (c) => MARKUP[c] ?? '\ufffd');
}
