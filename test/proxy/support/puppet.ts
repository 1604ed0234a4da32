/**
 * An upstream that does what each request tells it, so that a table of cases needs one server. Of a request without a
 * body it reads two headers: `X-Answer`, the number of the answer (both live in one process), and `X-Then`, `close` or
 * `reset` when it is out. A request that says nothing gets no answer.
 */
import { taken } from '../../support/taken.ts';
import { startRawUpstream, type RawUpstream } from '../../support/upstream.ts';
import { SeenHead } from './ask.ts';

export interface Puppet extends RawUpstream {
  /** Heads in the order in which they came. */
  readonly seen: SeenHead[];
}

export type Then = 'keep' | 'close' | 'reset';

const answers: Buffer[] = [];

/** Header lines that make the puppet answer with `bytes` (Latin-1). */
export function answer(bytes: string, then: Then = 'keep'): string[] {
  answers.push(Buffer.from(bytes, 'latin1'));
  return [`X-Answer: ${answers.length - 1}`, `X-Then: ${then}`];
}

export async function startPuppet(): Promise<Puppet> {
  const seen: SeenHead[] = [];
  const upstream = await startRawUpstream(async (peer) => {
    peer.socket.setMaxListeners(0);
    for (let request = 1; ; request++) {
      await peer.heads(request);
      const head = new SeenHead(peer.received.toString('latin1').split('\r\n\r\n')[request - 1] ?? '');
      seen.push(head);
      const bytes = answers[Number(head.one('x-answer'))];
      const then = head.one('x-then');
      if (bytes !== undefined) peer.write(bytes);
      if (then === 'close') return peer.end();
      if (then === 'reset') {
        // A reset overtakes what has not been read.
        await taken(peer.socket);
        return peer.reset();
      }
    }
  });
  return Object.defineProperty(upstream, 'seen', { value: seen }) as Puppet;
}
