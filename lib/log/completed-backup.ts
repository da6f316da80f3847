import type { LoggedBackup } from './log-row.ts'
import type { Backup } from '../../types/index.ts'

/** A completed backup. A constraint of the log table ensures that these columns are set. */
export type Completed<B = Backup> = B & { sizeBytes: number, checksum: string }

/** Whether it is completed, or was restored since. */
export const hasSnapshot = <B extends LoggedBackup['backup']>(backup: B): backup is Completed<B> =>
  backup.status === 'completed' || backup.status === 'restored'
