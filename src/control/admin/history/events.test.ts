import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigStore, Revision } from '../../../store/config-store.ts';
import { eventStream } from './events.ts';

/** A log of which only the commits from `oldest` on are there. */
function log(
  revision: number,
  oldest: number,
): { readonly store: ConfigStore; commit(): void; listeners(): number } {
  const listeners = new Set<(revision: Revision) => void>();
  const at = (n: number): Revision => ({
    revision: n,
    time: 0,
    author: { name: null, source: '', message: null },
    changes: 1,
  });
  const store = {
    revision,
    oldest,
    describe: (n: number) => (n > oldest && n <= store.revision ? at(n) : null),
    onCommit(listener: (revision: Revision) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    store: store as unknown as ConfigStore,
    commit() {
      store.revision++;
      for (const listener of listeners) listener(at(store.revision));
    },
    listeners: () => listeners.size,
  };
}

test('what has left the log is told as such', async () => {
  const { store } = log(12, 10);
  const reader = eventStream(store, 3).getReader();
  const decoder = new TextDecoder();
  const next = async (): Promise<string> => decoder.decode((await reader.read()).value);
  assert.equal(await next(), ': revision 3\n\n');
  assert.equal(await next(), 'id: 10\nevent: reset\ndata: {"revision":10}\n\n');
  assert.match(await next(), /^id: 11\nevent: commit\n/);
  assert.match(await next(), /^id: 12\nevent: commit\n/);
  await reader.cancel();
});

test('a client that reads gets heartbeats, one that does not is let go with nothing kept for it', async () => {
  const reading = log(0, 0);
  const reader = eventStream(reading.store, 0, 5).getReader();
  await reader.read();
  for (let n = 0; n < 8; n++) assert.equal(new TextDecoder().decode((await reader.read()).value), ':\n\n');
  await reader.cancel();
  assert.equal(reading.listeners(), 0);

  const slow = log(0, 0);
  const stream = eventStream(slow.store, 0, 5);
  for (let n = 0; n < 1000; n++) slow.commit();
  assert.equal(slow.listeners(), 1);
  while (slow.listeners() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await assert.rejects(stream.getReader().read(), /reads too slowly/);
});
