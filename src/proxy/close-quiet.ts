/**
 * Closing listeners without losing what the kernel holds for them.
 *
 * A connection is made by the kernel and waits in the listener's queue until it is accepted; closing the listener resets
 * what waits there. So the listeners stay open until a whole turn of the event loop has brought nothing, which means that
 * the queues were empty a moment ago, and are closed in that same moment. Under connections that never pause the time
 * for this is bounded. What remains: a handshake that completes between the kernel's answer "nothing is there" and the
 * `close` some microseconds later, and one whose last packet is still under way. Only whoever sends the clients can rule
 * those out, by sending none any more (`sluice quit --wait`), or Linux with net.ipv4.tcp_migrate_req.
 */
import type { Server } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** Turns of the event loop without a new connection: a turn may begin between two queues. */
const QUIET_TURNS = 2;

/** @param accepted how many connections have been accepted so far. @param limitMs after which they are closed anyway. */
export async function closeQuiet(
  servers: readonly Server[],
  accepted: () => number,
  limitMs: number,
): Promise<void> {
  const limit = performance.now() + limitMs;
  let seen = accepted();
  for (let quiet = 0; quiet < QUIET_TURNS && performance.now() < limit;) {
    await turn();
    quiet = accepted() === seen ? quiet + 1 : 0;
    seen = accepted();
  }
  for (const server of servers) server.close();
}
