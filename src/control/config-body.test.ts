import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configText, mediaType } from './config-body.ts';

const YAML = '_format_version: "3.0"\nservices: []\n';
const JSON_TEXT = '{"_format_version":"3.0","services":[]}';
const MULTIPART =
  '--b\r\nContent-Disposition: form-data; name="config"; filename="kong.yml"\r\n\r\n' +
  `${YAML}\r\n--b--\r\n`;
const MULTIPART_FIELD = `--b\r\nContent-Disposition: form-data; name="config"\r\n\r\n${JSON_TEXT}\r\n--b--\r\n`;
const OTHER_FIELD = '--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n';

const NOTHING = 'expected a declarative configuration';
const FORM = 'application/x-www-form-urlencoded';

const CASES: ReadonlyArray<[type: string, body: string, text: string | null, message?: string]> = [
  ['application/json', JSON_TEXT, JSON_TEXT],
  ['application/json; charset=utf-8', JSON.stringify({ config: YAML }), YAML],
  // Kong hands what has no `_format_version` to the parser, which then says that it is missing.
  ['application/json', '{"services":[]}', '{"services":[]}'],
  ['application/json', '{"config":""}', null, NOTHING],
  ['application/json', '{"config":7}', '{"config":7}'],
  ['application/json', '{', null, 'Cannot parse JSON body'],
  ['application/json', 'null', null, 'Cannot parse JSON body'],
  ['text/yaml', YAML, YAML],
  ['application/yaml', JSON_TEXT, JSON_TEXT],
  ['', YAML, YAML],
  ['text/yaml', '', null, NOTHING],
  [FORM, `config=${encodeURIComponent(YAML)}&x=1`, YAML],
  [FORM, 'x=1', null, NOTHING],
  ['multipart/form-data; boundary=b', MULTIPART, YAML],
  ['multipart/form-data; boundary=b', MULTIPART_FIELD, JSON_TEXT],
  ['multipart/form-data; boundary=b', OTHER_FIELD, null, NOTHING],
  ['multipart/form-data', MULTIPART, null, 'Cannot parse multipart body'],
  ['multipart/form-data; boundary=c', MULTIPART, null, 'Cannot parse multipart body'],
];

test('every way to send a configuration leads to its text', async () => {
  for (const [type, body, text, message] of CASES) {
    const answer = await configText(new TextEncoder().encode(body), type);
    const wanted = text === null ? { ok: false, message } : { ok: true, text };
    assert.deepEqual(answer, wanted, `${type}: ${body}`);
  }
});

test('a media type has no parameters and no case', () => {
  assert.equal(mediaType('Text/YAML ; charset=x'), 'text/yaml');
  assert.equal(mediaType(''), '');
});
