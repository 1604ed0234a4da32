import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import {
  ErrorBodies,
  type ErrorBodySettings,
  type ErrorRequest,
  STATUS_HEADER_TOO_LARGE,
} from './error-body.ts';
import '../../test/support/fixed-seed.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-error-body-'));
after(() => rmSync(folder, { recursive: true }));

const SETTINGS: ErrorBodySettings = {
  error_default_type: 'text/plain',
  error_template_html: null,
  error_template_json: null,
  error_template_xml: null,
  error_template_plain: null,
};
const ID = '0123456789abcdef0123456789abcdef';
const REQUEST: ErrorRequest = {
  kind: 'kong',
  status: 404,
  message: undefined,
  accept: undefined,
  contentType: undefined,
  requestId: ID,
  isGrpc: false,
};

function answer(request: Partial<ErrorRequest>, settings: Partial<ErrorBodySettings> = {}): string {
  const made = new ErrorBodies({ ...SETTINGS, ...settings }).errorBody({ ...REQUEST, ...request });
  return `${made.status} ${made.contentType}\n${made.body.toString()}`;
}

const HTML = `<!doctype html>
<html>
  <head>
    <meta charset="utf-8">
    <title>Error</title>
  </head>
  <body>
    <h1>Error</h1>
    <p>Not found.</p>
    <p>request_id: ${ID}</p>
  </body>
</html>
`;
const XML = `<?xml version="1.0" encoding="UTF-8"?>
<error>
  <message>Not found</message>
  <requestid>${ID}</requestid>
</error>
`;

test('the four forms, byte for byte', () => {
  assert.equal(answer({ accept: 'text/html' }), `404 text/html; charset=utf-8\n${HTML}`);
  assert.equal(answer({ accept: 'application/xml' }), `404 application/xml; charset=utf-8\n${XML}`);
  assert.equal(
    answer({ accept: 'text/plain' }),
    `404 text/plain; charset=utf-8\nNot found\nrequest_id: ${ID}\n`,
  );
  assert.equal(
    answer({ accept: 'application/json' }),
    `404 application/json; charset=utf-8\n{\n  "message":"Not found",\n  "request_id":"${ID}"\n}`,
  );
});

type Kind = ErrorRequest['kind'];
const NEGOTIATION: ReadonlyArray<
  readonly [
    kind: Kind,
    accept: string | undefined,
    contentType: string | undefined,
    defaultType: string,
    type: string,
  ]
> = [
  ['kong', undefined, undefined, 'text/plain', 'application/json'],
  ['kong', undefined, 'text/html', 'text/html', 'application/json'],
  ['kong', 'text/html', 'text/plain', 'text/plain', 'text/html'],
  ['kong', 'image/png', undefined, 'text/plain', 'application/json'],
  ['kong', 'application/grpc', undefined, 'text/plain', 'application/json'],
  ['nginx', undefined, undefined, 'text/plain', 'text/plain'],
  ['nginx', undefined, undefined, 'text/html', 'text/html'],
  ['nginx', undefined, undefined, 'application/xml', 'application/xml'],
  ['nginx', undefined, 'application/json', 'text/plain', 'application/json'],
  ['nginx', undefined, 'application/xml; charset=utf-8', 'text/plain', 'application/xml'],
  ['nginx', undefined, 'multipart/form-data; boundary=x', 'text/plain', 'application/json'],
  ['nginx', 'text/html', 'application/json', 'text/plain', 'text/html'],
  ['nginx', '*/*', 'text/html', 'text/plain', 'application/json'],
  ['nginx', '', 'text/html', 'text/plain', 'application/json'],
  ['nginx', 'bad', 'text/html', 'text/plain', 'application/json'],
];

test('who asks for what gets which form', () => {
  for (const [kind, accept, contentType, error_default_type, type] of NEGOTIATION) {
    const made = answer({ kind, accept, contentType }, { error_default_type });
    assert.equal(made.split('\n', 1)[0], `404 ${type}; charset=utf-8`, `${kind} ${accept} ${contentType}`);
  }
});

const TEXTS: ReadonlyArray<readonly [status: number, sent: number, message: string]> = [
  [400, 400, 'Bad request'],
  [404, 404, 'Not found'],
  [405, 405, 'Method not allowed'],
  [408, 408, 'Request timeout'],
  [411, 411, 'Length required'],
  [412, 412, 'Precondition failed'],
  [413, 413, 'Payload too large'],
  [414, 414, 'URI too long'],
  [417, 417, 'Expectation failed'],
  [STATUS_HEADER_TOO_LARGE, 400, 'Request header or cookie too large'],
  [500, 500, 'An unexpected error occurred'],
  [501, 501, 'Not implemented'],
  [502, 502, 'An invalid response was received from the upstream server'],
  [503, 503, 'The upstream server is currently unavailable'],
  [504, 504, 'The upstream server is timing out'],
  [505, 505, 'HTTP version not supported'],
  [599, 599, 'The upstream server responded with 599'],
];

test('the texts of the statuses', () => {
  for (const [status, sent, message] of TEXTS) {
    assert.equal(
      answer({ kind: 'nginx', status }),
      `${sent} text/plain; charset=utf-8\n${message}\nrequest_id: ${ID}\n`,
    );
  }
  assert.match(answer({ kind: 'nginx', status: 502, message: 'own words' }), /^502 .*\nown words\n/);
});

test('a message is escaped for its form', () => {
  const message = `a"b\\c<d>&'e\n%s\u0001é\u{1f600}`;
  const json = answer({ message, accept: 'application/json' }).split('\n').slice(1).join('\n');
  assert.deepEqual(JSON.parse(json), { message, request_id: ID });
  const markup = 'a&quot;b\\c&lt;d&gt;&amp;&#39;e\n%s\ufffdé\u{1f600}';
  assert.ok(answer({ message, accept: 'text/html' }).includes(`<p>${markup}.</p>`));
  assert.ok(answer({ message, accept: 'application/xml' }).includes(`<message>${markup}</message>`));
  assert.ok(answer({ message, accept: 'text/plain' }).includes(`\n${message}\nrequest_id: ${ID}\n`));
});

test('no message breaks out of its form', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (message) => {
      const json = answer({ message }).split('\n').slice(1).join('\n');
      assert.deepEqual(JSON.parse(json), { message, request_id: ID });
      const xml = answer({ message, accept: 'application/xml' });
      const inner = xml.slice(xml.indexOf('<message>') + 9, xml.lastIndexOf('</message>'));
      assert.doesNotMatch(inner, /[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
    }),
  );
});

function template(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test("an operator's templates", () => {
  const html = template('e.html', '<b style="width:100%;height:50%%">%s|%s</b>');
  const json = template('e.json', '{"custom":"%s","id":"%s"}');
  const xml = template('e.xml', '<only>%s</only>');
  const plain = template('e.plain', '%s\n');
  const settings = {
    error_template_html: html,
    error_template_json: json,
    error_template_xml: xml,
    error_template_plain: plain,
  };
  assert.equal(
    answer({ accept: 'text/html', message: '<' }, settings),
    `404 text/html; charset=utf-8\n<b style="width:100%;height:50%">&lt;|${ID}</b>`,
  );
  assert.equal(
    answer({ message: '"' }, settings),
    `404 application/json; charset=utf-8\n{"custom":"\\"","id":"${ID}"}`,
  );
  assert.equal(
    answer({ accept: 'application/xml' }, settings),
    '404 application/xml; charset=utf-8\n<only>Not found</only>',
  );
  assert.equal(
    answer({ kind: 'nginx', message: '$& $1' }, settings),
    '404 text/plain; charset=utf-8\n$& $1\n',
  );
});

test('a template that cannot be used is refused by its setting', () => {
  const refused = (path: string, reason: RegExp): void => {
    assert.throws(() => new ErrorBodies({ ...SETTINGS, error_template_xml: path }), reason);
  };
  refused(join(folder, 'absent'), /^Error: error_template_xml = .*absent: .*ENOENT/);
  refused(template('none', 'nothing %%s'), /error_template_xml = .*two "%s"/);
  refused(template('three', '%s%s%s'), /error_template_xml = .*two "%s"/);
});

const GRPC: ReadonlyArray<readonly [http: number, grpc: number]> = [
  [400, 3],
  [401, 16],
  [403, 7],
  [404, 5],
  [409, 6],
  [429, 8],
  [499, 1],
  [500, 13],
  [501, 12],
  [503, 14],
  [504, 4],
  [502, 13],
  [505, 13],
  [405, 3],
  [200, 0],
  [204, 0],
  [301, 2],
];

test('a gRPC client gets the gRPC status and no body', () => {
  const bodies = new ErrorBodies(SETTINGS);
  for (const [status, grpc] of GRPC) {
    for (const kind of ['kong', 'nginx'] as const) {
      const made = bodies.errorBody({
        ...REQUEST,
        kind,
        status,
        message: 'm',
        accept: 'text/html',
        isGrpc: true,
      });
      assert.equal(made.status, status);
      assert.equal(made.contentType, 'application/grpc');
      assert.equal(made.body.length, 0);
      assert.deepEqual(made.headers, [
        ['grpc-status', String(grpc)],
        ['grpc-message', 'm'],
      ]);
    }
  }
  const large = bodies.errorBody({
    ...REQUEST,
    kind: 'nginx',
    status: STATUS_HEADER_TOO_LARGE,
    isGrpc: true,
  });
  assert.equal(large.status, 400);
  assert.deepEqual(large.headers?.[0], ['grpc-status', '3']);
});

test('a gRPC message is percent-encoded', () => {
  const made = new ErrorBodies(SETTINGS).errorBody({ ...REQUEST, message: '100% "é"\r\n~', isGrpc: true });
  assert.deepEqual(made.headers?.[1], ['grpc-message', '100%25 "%C3%A9"%0D%0A~']);
});

test('a gRPC media type without HTTP/2 gets the compact form from the wire', () => {
  for (const request of [{ accept: 'application/grpc' }, { contentType: 'application/grpc+proto' }]) {
    assert.equal(
      answer({ ...request, kind: 'nginx', status: 502 }),
      '502 application/json; charset=utf-8\n{"message":"An invalid response was received from the upstream server"}',
    );
  }
});
