/** Nanoseconds for one head: parsing and interpreting what a browser sends, and writing it out again. */
import { PassThrough } from 'node:stream';
import type { Socket } from 'node:net';
import { FieldLines } from '../../src/wire/http1/field-lines.ts';
import { RequestHeadParser, ResponseHeadParser } from '../../src/wire/http1/head-parser.ts';
import { writeRequestHead, writeResponseHead } from '../../src/wire/http1/head-writer.ts';
import { interpretRequest, interpretResponse } from '../../src/wire/http1/head.ts';
import { Output, Scratch } from '../../src/wire/http1/output.ts';
import { micro } from '../support/micro.ts';

const LIMITS = { lineBytes: 8192, headBytes: 33_792, lines: 256 };

const REQUEST = Buffer.from(
  [
    'GET /v1/items/42?expand=prices HTTP/1.1',
    'Host: api.example.com',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
    'Accept: application/json, text/plain, */*',
    'Accept-Language: en-US,en;q=0.9,de;q=0.8',
    'Accept-Encoding: gzip, deflate, br',
    'Cookie: session=abcdef0123456789abcdef0123456789; theme=dark; consent=1',
    'Referer: https://app.example.com/dashboard/items',
    'Cache-Control: no-cache',
    'X-Requested-With: XMLHttpRequest',
    'Sec-Fetch-Mode: cors',
    'Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.sig',
    '',
    '',
  ].join('\r\n'),
  'latin1',
);

const RESPONSE = Buffer.from(
  [
    'HTTP/1.1 200 OK',
    'Server: nginx/1.22.1',
    'Date: Tue, 24 Nov 2026 03:00:00 GMT',
    'Content-Type: application/json',
    'Content-Length: 55',
    'Connection: keep-alive',
    '',
    '',
  ].join('\r\n'),
  'latin1',
);

/** Takes everything and keeps nothing. */
const sink = new PassThrough();
const socket = Object.assign(sink, { write: () => true }) as unknown as Socket;
const output = new Output(socket, new Scratch(), false);

const requests = new RequestHeadParser(new FieldLines(REQUEST), LIMITS);
const responses = new ResponseHeadParser(new FieldLines(RESPONSE), LIMITS);

function parseRequest(): number {
  requests.reset();
  return requests.parse(REQUEST, 0, REQUEST.length);
}

function parseResponse(): number {
  responses.reset();
  return responses.parse(RESPONSE, 0, RESPONSE.length);
}

function relayRequest(): void {
  parseRequest();
  const head = interpretRequest(requests, 'api.example.com');
  if (typeof head === 'number') throw new Error('the request does not parse');
  head.headers.set('X-Real-IP', '127.0.0.1');
  head.headers.set('X-Forwarded-For', '127.0.0.1');
  head.headers.set('X-Forwarded-Proto', 'http');
  head.headers.set('X-Forwarded-Host', 'api.example.com');
  head.headers.set('X-Forwarded-Port', '8000');
  head.headers.set('X-Forwarded-Path', '/v1/items/42');
  head.headers.set('Via', '1.1 sluice/0.1.0');
  head.headers.set('X-Kong-Request-Id', '0123456789abcdef0123456789abcdef');
  writeRequestHead(output, head);
  output.flush();
}

function relayResponse(): void {
  parseResponse();
  const head = interpretResponse(responses, 'GET', false);
  if (typeof head === 'number') throw new Error('the response does not parse');
  head.headers.set('Via', '1.1 sluice/0.1.0');
  head.headers.set('X-Kong-Upstream-Latency', '1');
  head.headers.set('X-Kong-Proxy-Latency', '0');
  head.headers.set('X-Kong-Request-Id', '0123456789abcdef0123456789abcdef');
  writeResponseHead(output, head, { chunked: false, connection: '', upgrade: '' });
  output.flush();
}

const results = micro([
  { name: `parse a request head of ${REQUEST.length} bytes, 11 fields`, run: parseRequest },
  { name: `parse a response head of ${RESPONSE.length} bytes, 5 fields`, run: parseResponse },
  { name: 'request head: parse, interpret, add 8 fields, write', run: relayRequest },
  { name: 'response head: parse, interpret, add 4 fields, write', run: relayResponse },
]);
for (const { name, best, median } of results)
  console.log(`${name}: best ${best.toFixed(0)} ns, median ${median.toFixed(0)} ns`);
