/**
 * A port that answers no connection attempt, neither with a handshake nor with a refusal: a listener whose process is
 * stopped and whose queue is full.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Child } from '../../support/child.ts';
import { freePort } from '../../support/ports.ts';
import { waitFor } from '../../support/wait.ts';

export interface FullPort extends AsyncDisposable {
  readonly port: number;
}

const LISTEN = `require('node:net').createServer().listen(
  { port: Number(process.argv[1]), host: '127.0.0.1', backlog: 1 }, () => console.log('listening'))`;
/** More than the kernel keeps for a backlog of one. */
const FILLERS = 6;

export async function startFullPort(): Promise<FullPort> {
  const port = await freePort();
  const child = new Child(process.execPath, ['-e', LISTEN, String(port)]);
  await waitFor(() => child.output.includes('listening'), { what: 'the listener' });
  child.kill('SIGSTOP');
  const fillers: Socket[] = [];
  for (let i = 0; i < FILLERS; i++) {
    const filler = connect({ port, host: '127.0.0.1' });
    filler.on('error', () => {});
    fillers.push(filler);
  }
  await once(fillers[0] as Socket, 'connect');
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy();
      await child.stop('SIGKILL');
    },
  };
}
