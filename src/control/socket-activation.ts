/**
 * Sockets handed over by the system (systemd's LISTEN_FDS, sd_listen_fds(3)) are refused, never ignored: whoever set up
 * the socket unit believes that its sockets are served.
 *
 * Why they are not taken yet: every worker needs a listener of its own, and one descriptor shared by threads is closed
 * for all of them by the first that ends.
 */
export function socketActivationProblem(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): string | null {
  if (!(Number(env['LISTEN_FDS']) > 0) || env['LISTEN_PID'] !== String(pid)) return null;
  return (
    `socket activation is not there yet, and ${env['LISTEN_FDS']} sockets were handed over (LISTEN_FDS): ` +
    `remove the socket unit and let proxy_listen name the addresses`
  );
}
