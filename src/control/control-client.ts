/** Asks whether a gateway lives behind a control socket, for a start that finds another one's pid file. */
import { request } from 'node:http';

/** No word in this time is no answer. */
const PATIENCE_MS = 1000;

/** True when a gateway answers there, whatever it says. */
export function answersControl(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: '/health', agent: false }, (response) => {
      response.resume();
      resolve(true);
    });
    call.setTimeout(PATIENCE_MS, () => call.destroy());
    call.on('error', () => resolve(false));
    call.on('close', () => resolve(false));
    call.end();
  });
}
