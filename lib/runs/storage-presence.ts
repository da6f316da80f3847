import type { Rescan } from '../../types/index.ts'

/**
 * Whether the storage is the one that the log knows. A directory that was created again, or the mount point of a disk
 * that is not mounted, contains neither a marker of the log nor any of its files. What is written there is hidden as
 * soon as the disk is mounted again.
 */
export interface StoragePresence {
  /** Checks, and remembers the result. A storage that does not answer does not count as missing. */
  check: () => Promise<boolean>
  /**
   * Like check(), but throws. A storage that does not answer does not count as missing: writing to it fails by itself.
   * @throws FST_BACKUP_STORAGE_MISSING
   */
  require: () => Promise<void>
  /**
   * Like require(), directly before a file is written. Creates the directory for the spool file, unless the directory
   * existed before and must therefore be mounted again.
   */
  prepare: () => Promise<void>
  /** Since when the storage is known to be missing; null when it is not, or when nothing has checked yet. */
  missingSince: () => Date | null
  /** Sets the name of the marker that this service has written to the storage; undefined when it removed the marker. */
  setMarker: (marker: string | undefined) => void
  /** Accepts the storage as it is: files that rescan() did not find are no longer expected; files that it found are. */
  accept: (rescan: Rescan) => Promise<void>
}
