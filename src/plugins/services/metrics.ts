/**
 * Metrics of a worker's plugins: what they count themselves, and what they cost. The main thread asks for a report and adds
 * up those of all workers.
 *
 * A plugin's metrics are named `sluice_plugin_PLUGIN_NAME` and have the label `plugin`; all its configurations share them.
 * Everything is bounded: families and series of a plugin, and the length of a label's value. What is beyond is dropped and
 * counted.
 */
import type { CostReport, Family, MetricsReport, Series } from '../../observe/metrics/families.ts';
import type { PluginMetrics } from '../kit/services.ts';
import { InstanceCost } from './cost.ts';

/** Of one plugin. */
const MAX_FAMILIES = 100;
const MAX_SERIES = 1000;
const MAX_LABELS = 10;
const MAX_BUCKETS = 50;
/** UTF-16 units. */
const MAX_VALUE = 128;

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/;
const DROPPED = 'sluice_plugin_series_dropped_total';

interface Shape {
  readonly name: string;
  readonly help: string;
  readonly type: Family['type'];
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

interface Cell {
  readonly values: readonly string[];
  value: number;
  readonly counts: number[] | undefined;
}

class OpenFamily {
  readonly shape: Shape;
  readonly #room: () => boolean;
  readonly #plugin: string;
  readonly #cells = new Map<string, Cell>();

  /** @param room false: there are too many series. */
  constructor(plugin: string, shape: Shape, room: () => boolean) {
    this.#plugin = plugin;
    this.shape = shape;
    this.#room = room;
  }

  /** Null: it is dropped. @throws TypeError */
  cell(values: readonly string[] = []): Cell | null {
    const { labels, buckets } = this.shape;
    if (values.length !== labels.length)
      throw new TypeError(`${this.shape.name} has ${labels.length} labels`);
    const kept = values.map((value) => value.slice(0, MAX_VALUE).toWellFormed());
    const key = kept.join('\0');
    let cell = this.#cells.get(key);
    if (cell !== undefined) return cell;
    if (!this.#room()) return null;
    const counts = buckets === undefined ? undefined : Array.from({ length: buckets.length + 1 }, () => 0);
    cell = { values: [this.#plugin, ...kept], value: 0, counts };
    this.#cells.set(key, cell);
    return cell;
  }

  get report(): Family {
    const series = [...this.#cells.values()].map(({ values, value, counts }): Series =>
      counts === undefined ? { values, value } : { values, value, counts },
    );
    return { ...this.shape, labels: ['plugin', ...this.shape.labels], series };
  }
}

/** Metrics of one plugin in one worker. */
class PluginMeter implements PluginMetrics {
  readonly families = new Map<string, OpenFamily>();
  readonly #plugin: string;
  #series = 0;
  dropped = 0;

  constructor(plugin: string) {
    this.#plugin = plugin;
  }

  counter(
    name: string,
    help: string,
    labels: readonly string[] = [],
  ): (by?: number, values?: readonly string[]) => void {
    const family = this.#family({ name, help, type: 'counter', labels });
    return (by = 1, values) => {
      if (!(by >= 0 && by < Infinity)) throw new RangeError(`${name}: ${by}`);
      const cell = family.cell(values);
      if (cell !== null) cell.value += by;
    };
  }

  gauge(
    name: string,
    help: string,
    labels: readonly string[] = [],
  ): (value: number, values?: readonly string[]) => void {
    const family = this.#family({ name, help, type: 'gauge', labels });
    return (value, values) => {
      if (!Number.isFinite(value)) throw new RangeError(`${name}: ${value}`);
      const cell = family.cell(values);
      if (cell !== null) cell.value = value;
    };
  }

  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels: readonly string[] = [],
  ): (value: number, values?: readonly string[]) => void {
    const ascending = buckets.every(
      (bound, at) => Number.isFinite(bound) && bound > (buckets[at - 1] ?? -Infinity),
    );
    if (!ascending || buckets.length === 0 || buckets.length > MAX_BUCKETS)
      throw new TypeError(`${name}: 1 to ${MAX_BUCKETS} buckets, ascending`);
    const family = this.#family({ name, help, type: 'histogram', labels, buckets: [...buckets] });
    return (value, values) => {
      if (!Number.isFinite(value)) throw new RangeError(`${name}: ${value}`);
      const cell = family.cell(values);
      if (cell?.counts === undefined) return;
      const at = buckets.findIndex((bound) => value <= bound);
      cell.counts[at < 0 ? buckets.length : at]! += 1;
      cell.value += value;
    };
  }

  /** The same family for all configurations of the plugin. @throws TypeError */
  #family(given: Shape): OpenFamily {
    const { name, labels } = given;
    const fine =
      NAME.test(name) && labels.every((label) => NAME.test(label) && label !== 'plugin' && label !== 'le');
    if (!fine || labels.length > MAX_LABELS || new Set(labels).size < labels.length)
      throw new TypeError(
        `a metric's name and labels are letters, digits and _, not ${JSON.stringify([name, ...labels])}`,
      );
    const full = `sluice_plugin_${this.#plugin.replaceAll(/\W/g, '_')}_${name}`;
    const shape = { ...given, name: full };
    const known = this.families.get(full);
    if (known !== undefined) {
      if (shapeText(known.shape) === shapeText(shape)) return known;
      throw new TypeError(`there is another metric ${name} already`);
    }
    if (this.families.size >= MAX_FAMILIES)
      throw new TypeError(`a plugin has at most ${MAX_FAMILIES} metrics`);
    const family = new OpenFamily(this.#plugin, shape, () => this.#room());
    this.families.set(full, family);
    return family;
  }

  #room(): boolean {
    if (this.#series < MAX_SERIES) {
      this.#series++;
      return true;
    }
    this.dropped++;
    return false;
  }
}

function shapeText({ type, labels, buckets }: Shape): string {
  return JSON.stringify([type, labels, buckets]);
}

export class WorkerMetrics {
  readonly #meters = new Map<string, PluginMeter>();
  readonly #costs = new Map<string, InstanceCost>();

  /** By name of the plugin. */
  of(plugin: string): PluginMetrics {
    let meter = this.#meters.get(plugin);
    if (meter === undefined) this.#meters.set(plugin, (meter = new PluginMeter(plugin)));
    return meter;
  }

  /** Of one configuration; `leave` it when its filters are gone. */
  join(id: string, plugin: string): InstanceCost {
    let cost = this.#costs.get(id);
    if (cost === undefined) this.#costs.set(id, (cost = new InstanceCost(id, plugin)));
    cost.users++;
    return cost;
  }

  leave(cost: InstanceCost): void {
    if (--cost.users === 0) this.#costs.delete(cost.id);
  }

  get report(): MetricsReport {
    const meters = [...this.#meters.values()];
    const families = meters.flatMap((meter) => [...meter.families.values()].map(({ report }) => report));
    const costs: CostReport[] = [...this.#costs.values()].map(({ report }) => report);
    const dropped = [...this.#meters]
      .filter(([, meter]) => meter.dropped > 0)
      .map(([plugin, meter]): Series => ({ values: [plugin], value: meter.dropped }));
    if (dropped.length > 0) {
      families.push({
        name: DROPPED,
        help: `Observations of plugins that were dropped because a plugin has more than ${MAX_SERIES} series.`,
        type: 'counter',
        labels: ['plugin'],
        series: dropped,
      });
    }
    return { families, costs };
  }
}
