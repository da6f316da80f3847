import type { Rescan } from '../../types/index.ts'

/**
 * Whether the storage is the one that the log knows. A directory that was made again, or one below a disk that is not mounted, has neither a
 * marker of the log nor any of its files: what is written there is lost to everybody as soon as the disk is back.
 */
export interface StoragePresence {
  /** Looks for it, and remembers what it found. A storage that can't be asked is not taken for missing. */
  look: () => Promise<boolean>
  /** Throws FST_BACKUP_STORAGE_MISSING. A storage that can't be asked is not taken for missing: what wants to write to it fails by itself. */
  require: () => Promise<void>
  /** The same right before a file is written, and makes the directory for its spool file, unless that was there before. */
  prepare: () => Promise<void>
  /** Since when it is known to be missing; null when it is not, or nobody looked. */
  missingSince: () => Date | null
  /** The marker that this service has left in the storage; undefined when it has taken it along. */
  left: (marker: string | undefined) => void
  /** The storage is taken as it is: what rescan() did not find is not expected any more, and what it found again is. */
  accept: (rescan: Rescan) => Promise<void>
}
