/** Rotation of the keys that seal records, for whoever keeps them. It may be ended at any moment and begun again. */
import type { Resealed } from '../catalog/reseal.ts';

export interface RecordSeals {
  /**
   * Seals by the first key what is not, in steps between other writes. No record is another one then: versions and
   * times stay.
   * @throws StoreUnavailable
   */
  reseal(): Promise<Resealed>;
  /** How many records are sealed by which key; `''` counts those in clear. @throws StoreUnavailable */
  sealCounts(): Promise<Readonly<Record<string, number>>>;
  /** Leaves nothing of what was there before. False: somebody was reading all the time. @throws StoreUnavailable */
  scrub(): Promise<boolean>;
}
