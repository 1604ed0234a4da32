/** The phases in which filters are called: whoever wraps filters (to time them, to watch them) goes by this one list. */
import type { Filters } from '../kit/filters.ts';

type Phase = Exclude<keyof Filters, 'clientCertificates' | 'dispose'>;

/** A record, so that a phase that is new to `Filters` cannot be forgotten here. */
const ALL: Readonly<Record<Phase, true>> = {
  certificate: true,
  rewrite: true,
  access: true,
  response: true,
  headerFilter: true,
  bodyFilter: true,
  log: true,
  preread: true,
  streamLog: true,
};

export const PHASES = Object.keys(ALL) as readonly Phase[];
