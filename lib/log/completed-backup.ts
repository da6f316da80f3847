import type { LoggedBackup } from './log-row.ts'
import type { Backup, CompletedBackup } from '../../types/index.ts'

/** A completed backup. A constraint of the log table ensures that these columns are set. */
export type Completed<B = Backup> = B & { sizeBytes: number, storedBytes: number, checksum: string }

/** Whether it is completed, or was restored since. */
export const hasSnapshot = <B extends LoggedBackup['backup']>(backup: B): backup is Completed<B> =>
  backup.status === 'completed' || backup.status === 'restored'

/** What the end of a run records. */
type Outcome = Pick<
  CompletedBackup,
  'sizeBytes' | 'storedBytes' | 'tableCount' | 'rowCount' | 'checksum' | 'finishedAt' | 'durationMs' | 'error' |
  'errorCode'
>

/** As hasSnapshot(), for a run of this process: one statement sets all of these columns. */
export const hasOutcome = <B extends LoggedBackup['backup']>(backup: B): backup is B & Outcome => hasSnapshot(backup)
