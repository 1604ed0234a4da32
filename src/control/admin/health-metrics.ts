/** The health of targets as metrics: the state of each address, and how often it has changed since the gateway started. */
import type { Family, Series } from '../../observe/metrics/families.ts';
import type { AddressState } from '../health/watched-address.ts';

/** Addresses that are told; who has more sees how many are left out. */
const MAX_ADDRESSES = 10_000;
const LABELS = ['upstream', 'target', 'address'];

export function healthFamilies(states: Iterable<AddressState>): Family[] {
  const healthy: Series[] = [];
  const changes: Series[] = [];
  let count = 0;
  for (const state of states) {
    if (++count > MAX_ADDRESSES) continue;
    const values = [state.upstream, state.target, state.address];
    healthy.push({ values, value: state.healthy ? 1 : 0 });
    changes.push({ values, value: state.changes });
  }
  if (count === 0) return [];
  return [
    family(
      'sluice_target_healthy',
      'gauge',
      'Addresses of targets that take requests: 1; others: 0.',
      LABELS,
      healthy,
    ),
    family(
      'sluice_target_health_changes_total',
      'counter',
      'Changes of their health, whoever made them.',
      LABELS,
      changes,
    ),
    family(
      'sluice_health_addresses_omitted',
      'gauge',
      `Addresses beyond the ${MAX_ADDRESSES} that are told.`,
      [],
      [{ values: [], value: Math.max(0, count - MAX_ADDRESSES) }],
    ),
  ];
}

export function family(
  name: string,
  type: Family['type'],
  help: string,
  labels: readonly string[],
  series: readonly Series[],
): Family {
  return { name, help, type, labels, series };
}
