/**
 * Which plugins a request meets, in which order: a list for each phase, compiled once for each route and kept, for each
 * consumer where some plugin asks for consumers.
 *
 * A plan has a place for each plugin name that could run on the route, in order of priority; so that when a consumer becomes
 * known in the middle of the access phase, the rest of the phase goes on at the same place of another plan.
 */
import type { Filters } from '../kit/filters.ts';
import type { PluginInstance } from './instance.ts';

/** Plans for consumers that all routes of a plugin set keep together. */
const KEPT = 10_000;

type Phase = Exclude<keyof Filters, 'dispose'>;

/** An instance that has a filter for the phase. */
export type With<P extends keyof Filters> = PluginInstance & { readonly filters: Required<Pick<Filters, P>> };

/** An instance with its place among all of the plan. */
export interface Step<P extends keyof Filters> {
  readonly place: number;
  readonly entry: With<P>;
}

/** What plans of one plugin set share: how many of them are kept. */
export class PlanMemory {
  count = 0;
  /** When there are too many of them, all are forgotten: each plan sees that its own are of another age. */
  age = 0;

  grow(): void {
    if (++this.count < KEPT) return;
    this.count = 0;
    this.age++;
  }
}

/** Chooses configurations by who calls. */
export interface Selection {
  readonly memory: PlanMemory;
  /** Some configuration of the plan refers to a consumer; to a group. */
  readonly consumers: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  /** By place. Those before `from` stay. */
  select(entries: Entries, from: number, consumerId: string | null, groups: readonly string[]): Entries;
}

/** By place; null: no plugin of that name runs for this consumer. */
export type Entries = ReadonlyArray<PluginInstance | null>;

export class Plan {
  readonly entries: Entries;
  readonly rewrite: ReadonlyArray<Step<'rewrite'>>;
  readonly access: ReadonlyArray<Step<'access'>>;
  readonly response: ReadonlyArray<With<'response'>>;
  readonly headerFilters: ReadonlyArray<With<'headerFilter'>>;
  readonly bodyFilters: ReadonlyArray<With<'bodyFilter'>>;
  readonly logs: ReadonlyArray<With<'log'>>;
  readonly certificates: ReadonlyArray<With<'certificate'>>;
  readonly prereads: ReadonlyArray<With<'preread'>>;
  readonly streamLogs: ReadonlyArray<With<'streamLog'>>;
  /** Some plugin says who calls: what a client says of itself is not believed. */
  readonly identifies: boolean;
  /** Null: no plugin of the route asks who calls. */
  readonly #selection: Selection | null;
  readonly #others = new Map<string, Plan>();
  #age = 0;

  constructor(entries: Entries, selection: Selection | null) {
    this.entries = entries;
    this.#selection = selection;
    this.rewrite = stepsOf(entries, 'rewrite');
    this.access = stepsOf(entries, 'access');
    this.response = having(entries, 'response');
    this.headerFilters = having(entries, 'headerFilter');
    this.bodyFilters = having(entries, 'bodyFilter');
    this.logs = having(entries, 'log');
    this.certificates = having(entries, 'certificate');
    this.prereads = having(entries, 'preread');
    this.streamLogs = having(entries, 'streamLog');
    this.identifies = entries.some((entry) => entry?.identifies === true);
  }

  /** Some configuration is for groups of consumers only. */
  get asksGroups(): boolean {
    return this.#selection !== null && this.#selection.groups.size > 0;
  }

  /**
   * The plan to go on with at place `from`, now that it is known who calls. Nearly all consumers share one: only those count
   * for whom something is configured.
   */
  for(from: number, consumerId: string | null, groupIds: readonly string[]): Plan {
    const selection = this.#selection;
    if (selection === null) return this;
    const { memory } = selection;
    const consumer = consumerId !== null && selection.consumers.has(consumerId) ? consumerId : null;
    const groups = groupIds.filter((id) => selection.groups.has(id));
    if (this.#age !== memory.age) {
      this.#others.clear();
      this.#age = memory.age;
    }
    const key = `${from} ${consumer ?? ''} ${groups.join(' ')}`;
    let found = this.#others.get(key);
    if (found !== undefined) return found;
    const entries = selection.select(this.entries, from, consumer, groups);
    found = entries.every((entry, place) => entry === this.entries[place])
      ? this
      : new Plan(entries, selection);
    this.#others.set(key, found);
    memory.grow();
    return found;
  }
}

function having<P extends Phase>(entries: Entries, phase: P): Array<With<P>> {
  return entries.filter((entry): entry is With<P> => entry?.filters[phase] !== undefined);
}

function stepsOf<P extends Phase>(entries: Entries, phase: P): Array<Step<P>> {
  return having(entries, phase).map((entry) => ({ place: entries.indexOf(entry), entry }));
}
