/** The zone of targets as the main thread sees it: it makes the region, and clears what dead workers leave. */
import { clearHolder } from '../slot-table.ts';
import { bytesOf, cellsOf, type Cells, type Shape } from './cells.ts';

/** Slots of a node: each worker has 128 KiB of counts and holds for them. */
const CAPACITY = 16_384;

export class NodeTargets {
  readonly buffer: SharedArrayBuffer;
  readonly shape: Shape;
  readonly #cells: Cells;

  constructor(workers: number, capacity = CAPACITY) {
    this.shape = { workers, capacity };
    this.buffer = new SharedArrayBuffer(bytesOf(this.shape));
    this.#cells = cellsOf(this.buffer, this.shape);
  }

  /** After a worker's death: what it had in flight is gone, and it holds nothing. */
  clearWorker(id: number): void {
    const { workers, capacity } = this.shape;
    clearHolder(this.#cells, id);
    for (let slot = 0; slot < capacity; slot++) this.#cells.inFlight[slot * workers + id] = 0;
  }
}
