/**
 * Imported for its effect: property tests draw the same cases in every run, so that a failure belongs to the change that
 * it comes with. `PROPERTY_SEED=N npm test -- TEXT` draws others; a failure names its seed.
 */
import * as fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['PROPERTY_SEED'] ?? 42) });
