/** Asks whether a gateway lives behind a control socket, for a start that finds another one's pid file. */

const { request } = process.getBuiltinModule('node:http');

/** Who listens and says nothing for so long is stopped or busy, but there: a dead listener refuses at once. */
const PATIENCE_MS = 1000;

/** True when a gateway answers there, whatever it says, or listens and is silent. */
export function answersControl(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: '/health', agent: false }, (response) => {
      response.resume();
      resolve(true);
    });
    call.setTimeout(PATIENCE_MS, () => {
      resolve(true);
      call.destroy();
    });
    call.on('error', () => resolve(false));
    call.on('close', () => resolve(false));
    call.end();
  });
}
