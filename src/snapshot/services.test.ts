import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../entities/service.ts';
import { NO_SERVICES, ServiceIndex, type Services } from './services.ts';

const service = (id: string, name: string | null, fields: Partial<Service> = {}): Service =>
  ({ id, name, protocol: 'http', host: `${id}.test`, port: 80, enabled: true, ...fields }) as Service;

/** All steps at once; how many there were. */
function commit(index: ServiceIndex, served: Services): readonly [services: Services, steps: number] {
  const work = index.commitInSteps(served);
  for (let steps = 1; ; steps++) {
    const { done, value } = work.next();
    if (done === true) return [value, steps];
  }
}

test('services are found by id and by name, and a snapshot keeps what it had', () => {
  const index = new ServiceIndex();
  index.put(service('1', 'a'));
  index.put(service('2', 'b'));
  index.put(service('3', null));
  index.put(service('4', 'off', { enabled: false }));
  // An id goes before a name.
  index.put(service('5', '3'));
  const [first] = commit(index, NO_SERVICES);
  const idOf = (services: Services, key: string): string | undefined => services.find(key)?.id;
  assert.deepEqual(
    ['1', 'a', 'b', '3', '4', 'off', 'null', ''].map((key) => idOf(first, key)),
    ['1', '1', '2', '3', undefined, undefined, undefined, undefined],
  );

  // Two change names with each other, one goes, one comes back.
  index.put(service('1', 'b'));
  index.put(service('2', 'a'));
  index.remove('3');
  index.put(service('4', 'off'));
  const [second] = commit(index, first);
  assert.deepEqual(
    ['a', 'b', '3', 'off'].map((key) => idOf(second, key)),
    ['2', '1', '5', '4'],
  );
  assert.deepEqual(
    ['a', 'b', '3', 'off'].map((key) => idOf(first, key)),
    ['1', '2', '3', undefined],
  );
});

test('what has not changed is not copied, and what has is copied in steps', () => {
  const index = new ServiceIndex();
  for (let n = 0; n < 2000; n++) index.put(service(`id ${n}`, `name ${n}`));
  const [first, steps] = commit(index, NO_SERVICES);
  assert.ok(steps > 3);
  assert.deepEqual(commit(index, first), [first, 1]);
});
