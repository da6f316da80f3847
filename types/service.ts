import type { Readable } from 'node:stream'
import type { Backup, BackupList, BackupStatus, BackupTrigger, Progress } from './backup.ts'
import type { RestorePlan, RestoreResult, Verification } from './restore.ts'
import type { Status } from './status.ts'
import type { ByteRange } from './storage.ts'

/** For long calls: `signal` aborts them, `onProgress` follows them. */
export interface LongCall {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

export interface CreateOptions extends LongCall {
  /** @defaultValue the plugin's `schema` */
  schema?: string
  /** Tables to leave out besides the configured ones. */
  excludeTables?: string[]
  /** At most 1,000 characters. */
  note?: string
  /** Recorded as `createdBy`. */
  actor?: string
}

export interface ListQuery {
  schema?: string
  status?: BackupStatus
  trigger?: BackupTrigger
  /** 1 to 1000. @defaultValue 100 */
  limit?: number
  /** `next` of the page before. */
  before?: string
}

/** Which of the newest backups a status tells of. */
export interface StatusQuery {
  /** Only that of this schema. */
  schema?: string
  /** 1 to 1000. @defaultValue 100 */
  limit?: number
  /** `newestNext` of the page before. */
  after?: string
}

export interface PlanOptions {
  /** The schema to restore into. @defaultValue the snapshot's own */
  schema?: string
  /** Only these tables. @defaultValue every table of the snapshot */
  tables?: string[]
}

export interface RestoreOptions extends PlanOptions, LongCall {
  /** Go ahead in spite of schema drift; what is missing is passed over. @defaultValue false */
  allowSchemaDrift?: boolean
  /** Accept a file that no longer matches its checksum. @defaultValue false */
  allowModified?: boolean
  /** Recorded as `restoredBy`. */
  actor?: string
}

export interface ImportOptions extends LongCall {
  /** At most 1,000 characters. @defaultValue that of the snapshot */
  note?: string
  /** Recorded as `createdBy`. */
  actor?: string
}

export interface Download {
  /** The file's bytes, or those of the range. Destroy it when you don't read it to its end. */
  stream: Readable
  filename: string
  /** Of the whole file. */
  sizeBytes: number
  /** Of the whole file: `sha256:` and 64 hex digits. */
  checksum: string
}

export interface Rescan {
  /** Snapshots that were in the storage and had no row. */
  adopted: Backup[]
  /** Completed backups whose file is not in the storage. */
  missing: Backup[]
}

export interface PrunedBackup { backup: Backup, reason: string }

export interface BackupEvents {
  'backup:started': (backup: Backup) => void
  'backup:progress': (event: { id: string, progress: Progress }) => void
  'backup:completed': (backup: Backup) => void
  /** After `backup:completed`, when the snapshot lost more rows than the option `guard` allows. */
  'backup:suspect': (backup: Backup) => void
  'backup:failed': (event: { id: string, schema: string, error: Error }) => void
  'restore:started': (event: { id: string, schema: string }) => void
  'restore:progress': (event: { id: string, progress: Progress }) => void
  'restore:completed': (result: RestoreResult) => void
  'restore:failed': (event: { id: string, schema: string, error: Error }) => void
  'backup:pruned': (pruned: PrunedBackup) => void
}

/**
 * What `fastify.backup` is. Values are the same as over HTTP: JS numbers and ISO strings.
 * Every method rejects with an error that has a `FST_BACKUP_*` code and a `statusCode`.
 */
export interface BackupService {
  /** Takes a snapshot and resolves when it is completed. */
  create: (options?: CreateOptions) => Promise<Backup>
  /** Newest first. */
  list: (query?: ListQuery) => Promise<BackupList>
  get: (id: string) => Promise<Backup>
  download: (id: string, range?: ByteRange) => Promise<Download>
  /** What a restore would do; changes nothing. */
  plan: (id: string, options?: PlanOptions) => Promise<RestorePlan>
  /** Puts the rows of a snapshot back, in one transaction, after a `pre_restore` snapshot. */
  restore: (id: string, options?: RestoreOptions) => Promise<RestoreResult>
  /** Reads a snapshot through and loads nothing: checksums, structure, counts. */
  verify: (id: string, options?: LongCall) => Promise<Verification>
  /**
   * Takes in a snapshot of this or another service, from the bytes of its file, under an id of its own. Nothing is kept when it is not a whole
   * and sound one: FST_BACKUP_SNAPSHOT_INVALID, or FST_BACKUP_IMPORT_INTERRUPTED when `source` fails. `source` is not destroyed when it is not
   * read to its end.
   */
  import: (source: Readable, options?: ImportOptions) => Promise<Backup>
  /** Deletes a snapshot and its row. */
  remove: (id: string) => Promise<void>
  /**
   * `accepted: true` makes a suspect snapshot the baseline of later ones and ends the hold of those before it, also of adopted ones. Pins, notes and
   * acceptances are kept in the storage as well, so that they survive the log.
   */
  update: (id: string, changes: { pinned?: boolean, note?: string | null, accepted?: boolean }) => Promise<Backup>
  /** Applies the retention policy to every schema, and says what went and why. */
  prune: () => Promise<PrunedBackup[]>
  /**
   * Compares the storage with the log: sound snapshots without a row are read through and get one, as they were at creation. Damaged ones are logged and
   * left alone. Missing files are not expected any more from then on, so that status() can be healthy again, and the storage is accepted as it is after
   * FST_BACKUP_STORAGE_MISSING. FST_BACKUP_STORAGE_TAKEN when the storage is another service's.
   */
  rescan: (options?: LongCall) => Promise<Rescan>
  /** Answers while the database is down, too, with what is known then. */
  status: (query?: StatusQuery) => Promise<Status>
  on: <E extends keyof BackupEvents>(event: E, listener: BackupEvents[E]) => BackupService
  once: <E extends keyof BackupEvents>(event: E, listener: BackupEvents[E]) => BackupService
  off: <E extends keyof BackupEvents>(event: E, listener: BackupEvents[E]) => BackupService
}
