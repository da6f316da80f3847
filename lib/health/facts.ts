import type { FailingSchema, LoggedFile, UndeletableFile } from '../log/health-records.ts'
import type { PendingSuspect } from '../consistency/holds.ts'

/** The slots of the schedule; see Cadence. */
export interface Slots {
  next: (after: Date) => Date
  previous: (atOrBefore: Date) => Date
}

/** What is known of the schedule. */
export interface ScheduleFacts {
  slots: Slots
  /** When the service started the schedule. */
  startedAt: Date
  schemas: string[]
  failure: { reason: string, since: Date } | null
  /** Those of `schemas` that exist in the database. */
  existing: Set<string>
  /** By schema, the time of its first row in the log. */
  firstRuns: Map<string, Date>
  /** By schema, when the run in progress began. */
  running: Map<string, Date>
}

/** The input of the health checks. */
export interface Facts {
  now: Date
  databaseNow: Date
  /** By how many milliseconds the database's clock is ahead, at least; negative when it is behind. */
  clockOffsetMs: number
  files: LoggedFile[]
  /** Names in the storage; null when the storage does not answer. */
  stored: Set<string> | null
  /** Files in the storage that have no row. */
  unknown: string[]
  storageMissingSince: Date | null
  /** The message of the error when the storage belongs to another log. */
  storageTaken: string | null
  failing: FailingSchema[]
  suspects: PendingSuspect[]
  /** Files whose removal began some time ago. */
  undeletable: UndeletableFile[]
  /** Null without a schedule. */
  schedule: ScheduleFacts | null
}
