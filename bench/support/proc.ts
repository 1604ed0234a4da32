/** CPU time and memory of a process and its descendants, from Linux's /proc. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Microseconds. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

/** Fields of /proc/PID/stat after the name, which may itself contain spaces and parentheses. */
function statFields(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** The process and everything below it. */
export function family(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statFields(Number(name))?.[1] ?? -1);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = [pid];
  for (const member of found) found.push(...(children.get(member) ?? []));
  return found;
}

/**
 * CPU time that the family has used. The kernel counts the sum exactly and divides it into user and system by
 * sampling, so over a few seconds the sum is good to 1 % and the division to a few.
 */
export function cpuTime(pid: number): CpuTime {
  let user = 0;
  let system = 0;
  for (const member of family(pid)) {
    const fields = statFields(member);
    user += Number(fields?.[11] ?? 0);
    system += Number(fields?.[12] ?? 0);
  }
  return { user: (user / TICKS) * 1e6, system: (system / TICKS) * 1e6 };
}

/** Resident memory of the family, bytes. Pages that its processes share count once for each of them. */
export function residentMemory(pid: number): number {
  let kib = 0;
  for (const member of family(pid)) {
    try {
      kib += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${member}/status`, 'latin1'))?.[1] ?? 0);
    } catch {
      // It ended meanwhile.
    }
  }
  return kib * 1024;
}
