/** Clients that ask again as soon as they have their answer, each on a connection of its own, and count what they get. */
import { Agent, request } from 'node:http';
import { waitFor } from '../../support/wait.ts';

export interface Load {
  /** By what was answered: `200`, `503 message`, or what broke. */
  readonly seen: ReadonlyMap<string, number>;
  /** Resolves when all clients have had nothing but 200 for a while, and forgets nothing of what was before. */
  quiet(): Promise<void>;
  /** Answers what was seen since the first `quiet`. */
  stop(): Promise<ReadonlyMap<string, number>>;
}

const CLIENTS = 8;
/** Of each client. */
const IN_A_ROW = 30;

function ask(port: number, path: string, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(
      { port, host: '127.0.0.1', path, agent, headers: { accept: 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('error', (error) => resolve(error.message));
        response.on('end', () =>
          resolve(response.statusCode === 200 ? '200' : `${response.statusCode} ${messageOf(text)}`),
        );
      },
    );
    sent.on('error', (error) => resolve(error.message)).end();
  });
}

function messageOf(text: string): string {
  return (JSON.parse(text) as { message: string }).message;
}

export function startLoad(port: number, path: string): Load {
  const seen = new Map<string, number>();
  const agents = Array.from({ length: CLIENTS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const row = agents.map(() => 0);
  let counts = false;
  let stopped = false;
  const clients = agents.map(async (agent, index) => {
    while (!stopped) {
      const answer = await ask(port, path, agent);
      row[index] = answer === '200' ? (row[index] ?? 0) + 1 : 0;
      if (counts) seen.set(answer, (seen.get(answer) ?? 0) + 1);
    }
  });
  return {
    seen,
    async quiet() {
      row.fill(0);
      await waitFor(() => row.every((count) => count >= IN_A_ROW), { what: 'all requests to be served' });
      counts = true;
    },
    async stop() {
      stopped = true;
      await Promise.all(clients);
      for (const agent of agents) agent.destroy();
      return seen;
    },
  };
}
