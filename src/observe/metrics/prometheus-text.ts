/** Metrics in the text format of Prometheus (version 0.0.4). */
import type { Family, Series } from './families.ts';

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function prometheusText(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const family of families) {
    lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`, `# TYPE ${family.name} ${family.type}`);
    for (const series of family.series) writeSeries(lines, family, series);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function writeSeries(lines: string[], { name, type, labels, buckets = [] }: Family, series: Series): void {
  const pairs = labels.map((label, at) => `${label}="${escapeValue(series.values[at] ?? '')}"`);
  if (type !== 'histogram') {
    lines.push(`${name}${braces(pairs)} ${numberText(series.value)}`);
    return;
  }
  let total = 0;
  for (const [at, count] of (series.counts ?? []).entries()) {
    total += count;
    const bound = buckets[at] ?? Infinity;
    lines.push(`${name}_bucket${braces([...pairs, `le="${numberText(bound)}"`])} ${total}`);
  }
  lines.push(
    `${name}_sum${braces(pairs)} ${numberText(series.value)}`,
    `${name}_count${braces(pairs)} ${total}`,
  );
}

function braces(pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
