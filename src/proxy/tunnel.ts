/**
 * The rest of an upgraded connection's life: bytes both ways until both sides are done.
 *
 * Each direction stops its source while its sink is slow. FIN is passed on, so that either side may finish first. A
 * tunnel on which nothing moves for the service's read time-out ends, as nginx ends it.
 */
import { WheelTimer } from '../lib/timer-wheel.ts';
import type { Tunnel, TunnelHandler } from '../wire/message.ts';
import type { Exchange } from './exchange.ts';

const DEFAULT_IDLE_MS = 60_000;

export function spliceTunnels(exchange: Exchange, client: Tunnel, upstream: Tunnel): void {
  const { wheel, tunnels } = exchange.context;
  const idleMs = exchange.route?.service?.timeouts.read ?? DEFAULT_IDLE_MS;
  let open = 2;
  const all = { destroy };
  const timer = new WheelTimer(destroy);

  function destroy(): void {
    client.destroy();
    upstream.destroy();
  }

  function closed(): void {
    if (--open > 0) {
      // The other side may still have to take what came before; the timer bounds how long, whatever it sends.
      wheel.arm(timer, idleMs);
      client.finish();
      upstream.finish();
      return;
    }
    wheel.remove(timer);
    tunnels.delete(all);
    exchange.finish();
  }

  function direction(from: Tunnel, to: Tunnel, count: boolean): TunnelHandler {
    let ended = false;
    return {
      onData(chunk) {
        if (open === 2) wheel.arm(timer, idleMs);
        if (count) exchange.bytesSent += chunk.length;
        const held = to.write(chunk);
        if (!to.writable) from.pause();
        return held;
      },
      // `from` takes bytes again: what comes from the other side may flow.
      onDrain: () => to.resume(),
      onEnd() {
        if (ended) return;
        ended = true;
        to.end();
      },
      onClose: closed,
    };
  }

  tunnels.add(all);
  wheel.arm(timer, idleMs);
  client.start(direction(client, upstream, false));
  upstream.start(direction(upstream, client, true));
}
