/** Targets in groups by their priority: those of a group are used when none of the groups before is left. */
import type { TargetSpec } from './target.ts';
import type { GroupSpec } from './choice.ts';

/** In the order in which a balancer has them: by priority, and as they came. */
export function byPriority(targets: readonly TargetSpec[]): readonly TargetSpec[] {
  if (targets.every(({ priority = 0 }) => priority === 0)) return targets;
  return targets.toSorted((one, other) => (one.priority ?? 0) - (other.priority ?? 0));
}

/** Of those with a weight. One group at least, which may be empty. */
export function groupsOf(targets: readonly TargetSpec[]): GroupSpec[] {
  const groups: Array<GroupSpec & { readonly members: Array<GroupSpec['members'][number]> }> = [];
  let first = 0;
  for (const { host, port, weight, priority = 0 } of byPriority(targets)) {
    if (weight === 0) continue;
    let group = groups.at(-1);
    if (group?.priority !== priority) groups.push((group = { priority, first, members: [] }));
    group.members.push({ name: `${host}:${port}`, weight });
    first++;
  }
  return groups.length > 0 ? groups : [{ priority: 0, first: 0, members: [] }];
}
