/** Frames with which a gRPC upstream answers, well or badly, the first stream of a connection. */
import { block, type Fields, FLAG, FRAME, frame, uint32 } from '../../support/http2-raw.ts';
import type { RawPeer } from '../../support/upstream.ts';
import { type Fault, framed } from './faults.ts';

/** The client's preface, and the header of its SETTINGS. */
export const FIRST_BYTES = 24 + 9;
export const SETTINGS = frame(FRAME.settings, 0, 0);
export const HEAD: Fields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];

/** What the gateway's first stream gets behind SETTINGS, once its head is here. */
export function framesAnswered(frames: readonly Buffer[], then: 'keep' | 'close' | 'reset' = 'keep'): Fault {
  return framed(async (peer) => {
    peer.write(SETTINGS);
    await headHere(peer);
    for (const each of frames) peer.write(each);
    if (then === 'close') peer.end();
    if (then === 'reset') peer.reset();
  });
}

async function headHere(peer: RawPeer): Promise<void> {
  for (let octets = FIRST_BYTES; ; octets = peer.received.length + 1) {
    await peer.bytes(octets);
    if (hasHead(peer.received)) return;
  }
}

function hasHead(received: Buffer): boolean {
  for (let at = 24; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3))
    if (received[at + 3] === FRAME.headers) return true;
  return false;
}

export const goaway = (last: number, code: number): Buffer =>
  frame(FRAME.goaway, 0, 0, Buffer.concat([uint32(last), uint32(code)]));
export const reset = (code: number): Buffer => frame(FRAME.reset, 0, 1, uint32(code));
export const headers = (fields: Fields, flags = 0): Buffer =>
  frame(FRAME.headers, FLAG.endHeaders | flags, 1, block(fields));
export const data = (text: string, flags = 0): Buffer =>
  frame(FRAME.data, flags, 1, Buffer.from(text, 'latin1'));

/** 45 KiB in three frames. */
export function hugeHead(): Buffer[] {
  const part = (n: number): Buffer => block([[`x-${n}`, 'a'.repeat(15_000)]]);
  return [
    frame(FRAME.headers, 0, 1, Buffer.concat([block(HEAD), part(0)])),
    frame(FRAME.continuation, 0, 1, part(1)),
    frame(FRAME.continuation, FLAG.endHeaders, 1, part(2)),
  ];
}
