/**
 * Fuzz run of the HTTP/1.1 engine: mutated streams of messages on both legs.
 *
 *     node test/fuzz/wire-fuzz.ts [--messages N] [--seed S]     parsers and body readers, in this process
 *     node test/fuzz/wire-fuzz.ts --sockets [...]               a data plane on sockets, with a mutating upstream
 *
 * In the first mode each stream is read whole and cut at random: both readings must agree, whatever is accepted must be
 * the same message when it is forwarded and read again, and nothing may throw. In the second mode the gateway must
 * serve a good request after each batch, close every connection, and hold its memory.
 */
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { forwardedRequest, forwardedResponse } from '../support/forwarded.ts';
import { bytesOf, comparable, piecesOf, readRequests, readResponses } from '../support/wire-reader.ts';
import type { ReadMessage, Reading } from '../support/wire-reader.ts';
import { Random, REQUESTS, RESPONSES } from './messages.ts';
import { fuzzSockets } from './socket-fuzz.ts';

export interface FuzzOptions {
  readonly messages: number;
  readonly seed: number;
}

export interface FuzzCounts {
  /** Streams fed. */
  streams: number;
  /** Messages read to their end. */
  accepted: number;
  /** How the streams ended, by leg: `request MALFORMED`, `response idle`, … */
  readonly endings: Map<string, number>;
}

interface Leg {
  readonly name: string;
  readonly messages: readonly string[];
  read(pieces: readonly Buffer[]): Reading;
  forward(message: ReadMessage): Buffer;
}

const LEGS: readonly Leg[] = [
  { name: 'request', messages: REQUESTS, read: readRequests, forward: forwardedRequest },
  {
    name: 'response',
    messages: RESPONSES,
    read: (pieces) => readResponses(pieces, { closes: true }),
    forward: forwardedResponse,
  },
];

export function fuzzParsers({ messages, seed }: FuzzOptions): FuzzCounts {
  const random = new Random(seed);
  const counts: FuzzCounts = { streams: 0, accepted: 0, endings: new Map() };
  for (let i = 0; i < messages; i++) {
    const leg = LEGS[i & 1] as Leg;
    const text = random.stream(leg.messages);
    try {
      const reading = check(leg, bytesOf(text), random);
      counts.streams++;
      counts.accepted += reading.messages.length;
      const ending = `${leg.name} ${reading.ending}`;
      counts.endings.set(ending, (counts.endings.get(ending) ?? 0) + 1);
    } catch (error) {
      throw new Error(`seed ${seed}, stream ${i} (${leg.name}): ${JSON.stringify(text)}`, { cause: error });
    }
  }
  return counts;
}

function check(leg: Leg, bytes: Buffer, random: Random): Reading {
  const whole = leg.read([bytes]);
  const cuts = Array.from({ length: 1 + random.next(4) }, () => random.next(bytes.length + 1));
  // A line that did not end is looked at when it is cut and when it is not, but not at the same time.
  const line = bytesOf('\n');
  const open = whole.ending === 'idle' || whole.ending === 'closed' ? [] : [line];
  const uncut = open.length === 0 ? whole : leg.read([Buffer.concat([bytes, line])]);
  const cut = leg.read([...piecesOf(bytes, cuts), ...open]);
  assert.deepEqual(comparable(cut), comparable(uncut), `cut at ${cuts.join(', ')}`);
  for (const message of whole.messages) checkForwarded(leg, message);
  return whole;
}

/** A message read again behind the gateway is the same one, and there is exactly one. */
function checkForwarded(leg: Leg, message: ReadMessage): void {
  const bytes = leg.forward(message);
  const again = leg.read([bytes]);
  assert.equal(again.messages.length, 1, `forwarded as ${JSON.stringify(bytes.toString('latin1'))}`);
  const [copy] = again.messages;
  assert.ok(copy !== undefined);
  assert.ok(copy.body.equals(message.body), 'another body');
  assert.deepEqual(copy.trailers, message.trailers);
  assert.equal(copy.start[0], message.start[0]);
  assert.notEqual(again.ending, 'incomplete');
}

function print(counts: FuzzCounts, seconds: number): void {
  process.stdout.write(
    `${counts.streams} streams, ${counts.accepted} messages accepted, ${seconds.toFixed(1)} s\n`,
  );
  for (const [ending, count] of [...counts.endings].toSorted((a, b) => b[1] - a[1])) {
    process.stdout.write(`  ${String(count).padStart(9)}  ${ending}\n`);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: String(Date.now() & 0x7fffffff) },
      sockets: { type: 'boolean', default: false },
    },
  });
  const options = { messages: Number(values.messages), seed: Number(values.seed) };
  process.stdout.write(`seed ${options.seed}, ${options.messages} streams\n`);
  const begun = performance.now();
  const counts = values.sockets ? await fuzzSockets(options) : fuzzParsers(options);
  print(counts, (performance.now() - begun) / 1000);
}

if (import.meta.main) await main();
