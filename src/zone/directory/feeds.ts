/**
 * How readers learn of buffers: a port for each, from which a reader takes news in the middle of a look-up, without
 * waiting for its event loop. News are sent before the epoch in the control block says that there are any.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { CONTROL, CONTROL_BYTES, type News } from './tables.ts';

/** What a reader is made of. It goes into the data of a new thread; the port must be transferred. */
export interface DirectoryFeed {
  readonly control: SharedArrayBuffer;
  readonly port: MessagePort;
}

export class Feeds {
  readonly control = new SharedArrayBuffer(CONTROL_BYTES);
  readonly #words = new Int32Array(this.control);
  readonly #ports = new Set<MessagePort>();

  setKey(k0: number, k1: number): void {
    this.#words[CONTROL.k0] = k0;
    this.#words[CONTROL.k1] = k1;
  }

  /** @param now all buffers that there are. Answers how to end it, too. */
  open(now: Omit<News, 'epoch' | 'dropped'>): DirectoryFeed & { close(): void } {
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    this.#ports.add(port1);
    const epoch = Atomics.load(this.#words, CONTROL.epoch);
    // The control block says nothing new: a reader begins with its port.
    port1.postMessage({ ...now, dropped: [], epoch } satisfies News);
    const close = (): void => {
      this.#ports.delete(port1);
      port1.close();
    };
    return { control: this.control, port: port2, close };
  }

  send(news: Omit<News, 'epoch'>): void {
    const epoch = (Atomics.load(this.#words, CONTROL.epoch) + 1) | 0;
    for (const port of this.#ports) port.postMessage({ ...news, epoch } satisfies News);
    Atomics.store(this.#words, CONTROL.epoch, epoch);
  }
}
