import type { Readable } from 'node:stream'
import type { Backup, BackupList, BackupStatus, BackupTrigger, CompletedBackup, Progress } from './backup.ts'
import type { Manifest } from './manifest.ts'
import type { RestorePlan, RestoreResult, Verification } from './restore.ts'
import type { Status } from './status.ts'
import type { ByteRange } from './storage.ts'

/** The options of long calls. */
export interface LongCall {
  /** Aborts the call. */
  signal?: AbortSignal | undefined
  /** Called with the progress. */
  onProgress?: ((progress: Progress) => void) | undefined
}

export interface CreateOptions extends LongCall {
  /** @defaultValue the plugin's `schema` */
  schema?: string | undefined
  /** Tables to exclude in addition to the configured ones. */
  excludeTables?: string[] | undefined
  /** At most 1,000 characters. */
  note?: string | undefined
  /** Recorded as `createdBy`. */
  actor?: string | undefined
}

export interface ListQuery {
  schema?: string | undefined
  status?: BackupStatus | undefined
  trigger?: BackupTrigger | undefined
  /** 1 to 1000. @defaultValue 100 */
  limit?: number | undefined
  /**
   * Only backups whose `startedAt` is not before this instant: ISO 8601 with a time zone, `2026-11-22T17:45:00Z` for
   * example.
   */
  since?: string | undefined
  /** Only backups whose `startedAt` is before this instant. */
  until?: string | undefined
  /** `next` of the previous page. */
  before?: string | undefined
}

/** Which of the newest backups a status contains. */
export interface StatusQuery {
  /** Only the newest backup of this schema. */
  schema?: string | undefined
  /** 1 to 1000. @defaultValue 100 */
  limit?: number | undefined
  /** `newestNext` of the previous page. */
  after?: string | undefined
}

export interface PlanOptions extends LongCall {
  /** The schema to restore into. @defaultValue the schema of the snapshot */
  schema?: string | undefined
  /** Only these tables. @defaultValue every table of the snapshot */
  tables?: string[] | undefined
}

export interface RestoreOptions extends PlanOptions {
  /** Restore despite schema drift; skip tables and columns that no longer exist. @defaultValue false */
  allowSchemaDrift?: boolean | undefined
  /** Restore a file that does not match its checksums. @defaultValue false */
  allowModified?: boolean | undefined
  /** Recorded as `restoredBy`. */
  actor?: string | undefined
}

export interface ImportOptions extends LongCall {
  /** At most 1,000 characters. @defaultValue the note of the snapshot */
  note?: string | undefined
  /** The size of the file, in bytes. Only the progress depends on it. @defaultValue not known */
  sizeBytes?: number | undefined
  /** Recorded as `createdBy`. */
  actor?: string | undefined
}

/** What update() changes. */
export interface BackupChanges {
  /** A pinned snapshot is never pruned. */
  pinned?: boolean | undefined
  /** At most 1,000 characters; null removes the note. */
  note?: string | null | undefined
  /** Whether an administrator accepts the snapshot as a baseline of the guard. */
  accepted?: boolean | undefined
}

export interface DownloadOptions {
  /** `json`: the snapshot as JSON, however its file is compressed. @defaultValue the file as it is stored */
  as?: 'json' | undefined
}

export interface Download {
  /** The bytes of the file or of the range. Destroy the stream if you do not read it to its end. */
  stream: Readable
  /** Ends in `.json`, or in `.json.gz` or `.json.zst` for a compressed file. */
  filename: string
  /** The size of the complete file as it is downloaded, in bytes. */
  sizeBytes: number
  /** The checksum of the manifest, which proves the complete file: `sha256:` and 64 hexadecimal digits. */
  checksum: string
}

export interface Rescan {
  /** Snapshots that were in the storage without a log row, and now have one. */
  adopted: Backup[]
  /** Completed backups whose file is not in the storage. */
  missing: Backup[]
}

export interface PrunedBackup { backup: Backup, reason: string }

/** What metrics are made of, read from the log. Times are ISO 8601. */
export interface BackupMetrics {
  /** Ordered by the name of the schema. */
  schemas: SchemaMetrics[]
  /** How many runs have finished since the first one of the schema. */
  runs: RunCounter[]
  /** The next slot of the schedule; null without one. */
  nextSlotAt: string | null
}

/** Null where the schema has nothing of the kind. */
export interface SchemaMetrics {
  schema: string
  /** When the newest completed backup ended. `pre_restore` snapshots and imports do not count. */
  lastSuccessAt: string | null
  /** Of that backup, in milliseconds. */
  lastDurationMs: number | null
  /** Of that backup. */
  lastSizeBytes: number | null
  /** Of that backup. */
  lastRows: number | null
  lastRunSucceeded: boolean | null
  /** When `verify()` last found a snapshot intact. */
  lastVerifiedAt: string | null
  /** The size of all snapshots that the storage should contain. */
  storedBytes: number
  /** 1 if the newest full snapshot is suspect and neither accepted nor followed by a restore, else 0. */
  suspects: number
}

export interface RunCounter { schema: string, trigger: BackupTrigger, result: 'completed' | 'failed', count: number }

export interface BackupEvents {
  'backup:started': (backup: Backup) => void
  'backup:progress': (event: { id: string, progress: Progress }) => void
  'backup:completed': (backup: CompletedBackup) => void
  /** After `backup:completed`, if a table lost more rows than the option `guard` allows. */
  'backup:suspect': (backup: CompletedBackup) => void
  'backup:failed': (event: { id: string, schema: string, error: Error & { code: string } }) => void
  'restore:started': (event: { id: string, schema: string }) => void
  /** `schema` is the one whose rows the restore replaces. */
  'restore:progress': (event: { id: string, schema: string, progress: Progress }) => void
  'restore:completed': (result: RestoreResult) => void
  'restore:failed': (event: { id: string, schema: string, error: Error & { code: string } }) => void
  'backup:pruned': (pruned: PrunedBackup) => void
}

/**
 * The type of `fastify.backup`. Values are the same as over HTTP: numbers and ISO 8601 strings. Every method rejects
 * with an error that has an `FST_BACKUP_*` code and a `statusCode`.
 */
export interface BackupService {
  /** Takes a snapshot and resolves when it is completed. */
  create: (options?: CreateOptions) => Promise<CompletedBackup>
  /** Lists backups, newest first. */
  list: (query?: ListQuery) => Promise<BackupList>
  get: (id: string) => Promise<Backup>
  download: (id: string, range?: ByteRange, options?: DownloadOptions) => Promise<Download>
  /**
   * Reads the head of a snapshot file, and no rows. Rejects with FST_BACKUP_SNAPSHOT_INVALID if the head is damaged, or
   * with FST_BACKUP_LIMIT_EXCEEDED if that of an import is larger than `limits.manifestBytes`. Only verify() checks the
   * rest of the file.
   */
  manifest: (id: string) => Promise<Manifest>
  /** Returns what a restore would do. Changes nothing. */
  plan: (id: string, options?: PlanOptions) => Promise<RestorePlan>
  /** Takes a `pre_restore` snapshot and then replaces the rows by those of the snapshot, in one transaction. */
  restore: (id: string, options?: RestoreOptions) => Promise<RestoreResult>
  /** Reads a complete snapshot file and checks its checksums, structure and counts. Loads nothing. */
  verify: (id: string, options?: LongCall) => Promise<Verification>
  /**
   * Imports a snapshot of this or another service from the bytes of its file, under a new id. Keeps nothing and
   * rejects with FST_BACKUP_SNAPSHOT_INVALID if the snapshot is not complete and valid, or with
   * FST_BACKUP_IMPORT_INTERRUPTED if `source` fails. Does not destroy a `source` that it does not read to its end.
   */
  import: (source: Readable, options?: ImportOptions) => Promise<CompletedBackup>
  /** Deletes a snapshot and its log row. */
  remove: (id: string) => Promise<void>
  /**
   * Changes the pin, the note or the acceptance of a snapshot. `accepted: true` makes a suspect snapshot the baseline
   * of later ones and releases the held earlier ones, including adopted ones. Pins, notes and acceptances are also
   * kept in the storage, so that they survive a loss of the log.
   */
  update: (id: string, changes: BackupChanges) => Promise<Backup>
  /** Applies the retention policy to every schema. Resolves with the removed backups and the reasons. */
  prune: () => Promise<PrunedBackup[]>
  /**
   * Compares the storage with the log. Each snapshot without a log row is read completely: a valid one gets a row, as
   * it was at creation; a damaged one is reported in the service's log and not changed. Missing files are accepted as
   * lost, so that status() can be healthy again. After FST_BACKUP_STORAGE_MISSING, the present storage is accepted.
   * Rejects with FST_BACKUP_STORAGE_TAKEN if the storage belongs to another service.
   */
  rescan: (options?: LongCall) => Promise<Rescan>
  /** Resolves also while the database is not available, with the parts that are known. */
  status: (query?: StatusQuery) => Promise<Status>
  /** Rejects while the database is not available. */
  metrics: () => Promise<BackupMetrics>
  on: <E extends keyof BackupEvents>(event: E, listener: BackupEvents[E]) => BackupService
  once: <E extends keyof BackupEvents>(event: E, listener: BackupEvents[E]) => BackupService
  off: <E extends keyof BackupEvents>(event: E, listener: BackupEvents[E]) => BackupService
}

/** The service without Fastify, see `createBackupService()`. */
export interface StandaloneBackupService extends BackupService {
  /**
   * Does in this process what a running service does in the background: runs the schedule, cleans up after interrupted
   * runs, claims the storage and adopts its snapshots after a loss of the log. Returns at once, retries while the
   * database is down, and keeps the process alive until `close()`. A script that only makes calls does not need it.
   */
  start: () => void
  /**
   * Aborts the runs of this process and ends its connections; resolves within 5 s. Later calls reject with
   * FST_BACKUP_SHUTTING_DOWN. May be called more than once.
   */
  close: () => Promise<void>
  /** The same as `close()`, for `await using`. */
  [Symbol.asyncDispose]: () => Promise<void>
}
