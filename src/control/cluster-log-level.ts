/**
 * A log level for all nodes of a database: a record with the time that it holds, whose change is told to every node as
 * that of any record. A node that starts meanwhile finds it; one that is not told of changes looks for it.
 */
import type { LogLevel } from '../settings/settings.ts';
import { LOG_LEVELS } from '../settings/table.ts';
import { keyMark } from '../store/records/marks.ts';
import type { RecordStore } from '../store/records/records.ts';
import type { Log } from './log.ts';
import type { LogLevelOverride } from './log-level-override.ts';

const COLLECTION = 'sluice';
const KEY = 'log_level';
const MARK = keyMark(COLLECTION, KEY);
/** Between two looks of a node that is not told. */
const LOOK_MS = 2000;
/** Ten years, milliseconds: no record lasts longer. */
const LONGEST_MS = 10 * 365 * 24 * 3600 * 1000;

export class ClusterLogLevel {
  readonly #records: RecordStore;
  readonly #override: LogLevelOverride;
  readonly #log: Log;
  readonly #watch: Disposable;
  readonly #timer: NodeJS.Timeout;
  /** Of the record that this node has taken. */
  #version = 0;
  #told = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(records: RecordStore, override: LogLevelOverride, log: Log) {
    this.#records = records;
    this.#override = override;
    this.#log = log;
    this.#watch = records.watch({
      changed: (marks) => {
        if (marks === null || marks.includes(MARK)) this.#look();
      },
      telling: (works) => {
        this.#told = works;
        if (works) this.#look();
      },
    });
    this.#timer = setInterval(() => {
      if (!this.#told) this.#look();
    }, LOOK_MS).unref();
    this.#look();
  }

  /** Tells the other nodes; this one changes its own level itself. @throws StoreUnavailable */
  async tell(level: LogLevel, seconds: number): Promise<void> {
    const ttlMs = Math.min(Math.max(1, seconds * 1000), LONGEST_MS);
    const put = this.#records.put(COLLECTION, { key: KEY, value: { level } }, { ttlMs });
    // No look may come between the record and knowing that it is this node's own.
    this.#looking = this.#looking
      .then(() => put)
      .then(
        (result) => {
          if (result.stored) this.#version = result.version;
        },
        () => undefined,
      );
    await put;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watch[Symbol.dispose]();
  }

  #look(): void {
    // A database that is away says so elsewhere, and this is looked for again when it is back.
    this.#looking = this.#looking.then(() => this.#take()).catch(() => undefined);
  }

  async #take(): Promise<void> {
    const record = await this.#records.get(COLLECTION, KEY);
    if (record === null || record.version === this.#version) return;
    const level = LOG_LEVELS.find((one) => one === record.value['level']);
    if (level === undefined) return;
    const result = await this.#override.change(level, (record.ttlMs ?? 0) / 1000);
    if (!result.ok) return;
    this.#version = record.version;
    this.#log('notice', `the log level is ${level} for now: another node was told so`);
  }
}
