/**
 * The failure matrix: rows of what an upstream does, and exactly what becomes of a request because of it: status, message,
 * form, tries, lines of both logs. One gateway has a service and a route for each row. How long the answer took is printed;
 * asserted is only that the short time-out of the row ended it, where the others are a minute.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { TlsOptions } from 'node:tls';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { type RawResult, rawRequest } from '../../support/raw-client.ts';
import { waitFor } from '../../support/wait.ts';
import { type Ask, requestText } from '../../proxy/support/ask.ts';
import type { Fault, Faulty } from './faults.ts';

export const INVALID = 'An invalid response was received from the upstream server';
export const TIMING_OUT = 'The upstream server is timing out';

export interface Row {
  readonly what: string;
  readonly fault: Fault;
  readonly ask?: Ask;
  /** `cut`: the head is the upstream's, and its body breaks off. */
  readonly status: number | 'cut';
  /** The gateway's message; of a status 200 the whole body, of `cut` what of it arrives, of an `own` answer a part. */
  readonly says: string;
  /** The answer is the upstream's own. */
  readonly own?: true;
  /** Tries that the upstream sees; each that failed has a line in the error log. 1 unless said. */
  readonly tries?: number;
  /** What each of those lines says; null: there is none. */
  readonly log: RegExp | null;
  /** The client's connection is closed behind the answer: the rest of its body is not waited for. */
  readonly closes?: true;
  /** Which time-out is short. */
  readonly short?: 'connect' | 'write' | 'read';
  readonly service?: Readonly<Record<string, unknown>>;
  readonly route?: Readonly<Record<string, unknown>>;
}

const RETRIES = 1;
/** Milliseconds. */
export const SHORT = 300;
const LONG = 60_000;
/** Half of the time-out that must not have been it. */
export const BOUND = LONG / 2;

export interface Matrix {
  readonly gateway: Gateway;
  /** Of each row. */
  readonly faulty: ReadonlyMap<Row, Faulty>;
}

export interface MatrixOptions {
  readonly protocol: 'http' | 'https' | 'grpc' | 'tcp' | 'tls';
  readonly tls?: TlsOptions;
  /** Of all rows. */
  readonly service?: Readonly<Record<string, unknown>>;
  readonly settings?: Readonly<Record<string, string>>;
  /** Of a row's route instead of its path. */
  readonly route?: (row: Row, index: number) => Readonly<Record<string, unknown>>;
}

export async function startMatrix(rows: readonly Row[], options: MatrixOptions): Promise<Matrix> {
  const faulty = new Map<Row, Faulty>();
  for (const row of rows) faulty.set(row, await row.fault(options.tls));
  const times = (row: Row, kind: Row['short']): number => (row.short === kind ? SHORT : LONG);
  const gateway = await startGateway({
    config: {
      _format_version: '3.0',
      services: rows.map((row, index) => ({
        name: `s${index}`,
        protocol: options.protocol,
        host: '127.0.0.1',
        port: faulty.get(row)?.port,
        retries: RETRIES,
        connect_timeout: times(row, 'connect'),
        write_timeout: times(row, 'write'),
        read_timeout: times(row, 'read'),
        ...options.service,
        ...row.service,
        routes: [{ ...(options.route?.(row, index) ?? { paths: [`/row-${index}/`] }), ...row.route }],
      })),
    },
    settings: { proxy_stream_access_log: 'logs/stream.log', ...options.settings },
  });
  after(async () => {
    await gateway[Symbol.asyncDispose]();
    for (const each of faulty.values()) await each[Symbol.asyncDispose]();
  });
  return { gateway, faulty };
}

/** Lines of a log that hold `text`, when there are as many as wanted. */
export async function linesWith(
  gateway: Gateway,
  file: string,
  text: string,
  count: number,
): Promise<string[]> {
  let found: string[] = [];
  await waitFor(
    async () => {
      found = (await gateway.logFile(file)).split('\n').filter((line) => line.includes(text));
      return found.length >= count;
    },
    { what: `${count} lines with ${text} in ${file}, of which there are ${found.length}` },
  );
  return found;
}

/** Tests of rows that are asked over HTTP/1.1. */
export function testRows(matrix: Matrix, rows: readonly Row[]): void {
  for (const [index, row] of rows.entries()) {
    test(row.what, async (context) => {
      const { gateway } = matrix;
      const path = `/row-${index}/`;
      const begun = performance.now();
      const result = await rawRequest(gateway.proxyPort, requestText({ ...row.ask, target: path }));
      const took = performance.now() - begun;
      context.diagnostic(`${row.status} after ${took.toFixed(0)} ms`);
      assert.ok(took < BOUND, `it took ${took} ms`);
      assertAnswer(row, result);
      const tries = row.tries ?? 1;
      const seen = matrix.faulty.get(row)?.tries() ?? null;
      if (seen !== null) assert.equal(seen, tries, 'tries that the upstream saw');
      const access = await linesWith(gateway, 'access.log', ` ${path} `, 1);
      assert.equal(access.length, 1, 'one line in the access log');
      assert.match(access[0] ?? '', new RegExp(`" ${row.status === 'cut' ? 200 : row.status} \\d+ `));
      // It was written before the access log's line.
      const failed = row.log === null ? 0 : tries;
      const lines = await linesWith(gateway, 'error.log', ` ${path} `, failed);
      assert.equal(lines.length, failed, lines.join('\n'));
      for (const line of lines) if (row.log !== null) assert.match(line, row.log);
    });
  }
}

function assertAnswer(row: Row, { responses, text, ending }: RawResult): void {
  const [response] = responses;
  if (row.status === 'cut') {
    assert.equal(response, undefined, 'a response that is not whole must not look so');
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), row.says);
    assert.notEqual(ending, 'open');
    return;
  }
  assert.ok(response, `no response but ${JSON.stringify(text)}`);
  assert.equal(response.status, row.status, response.text());
  if (row.own === true) return assert.ok(response.text().includes(row.says), response.text());
  if (row.status === 200) return assert.equal(response.text(), row.says);
  assert.equal(response.header('content-type'), 'text/plain; charset=utf-8');
  assert.equal(response.text(), `${row.says}\nrequest_id: ${response.header('x-kong-request-id')}\n`);
  const blamed = row.closes === true ? 'close' : undefined;
  assert.equal(response.header('connection'), blamed, 'whether the client is to blame');
}
