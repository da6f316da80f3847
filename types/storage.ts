import type { Readable } from 'node:stream'

/** Byte offsets, both inclusive, as in an HTTP Range (RFC 9110, 14.1.2). */
export interface ByteRange { start: number, end: number }

export interface StoredSnapshot { name: string, sizeBytes: number }

/**
 * Stores snapshot files, and empty marker files that identify the log that the storage belongs to (their names begin
 * with `.fastify-backup-log.`). Names are bare file names that the plugin creates; an implementation must reject all
 * other names before any access.
 */
export interface SnapshotStorage {
  /**
   * Moves the finished file at `spoolPath` (local, already fsynced) to `name`. Atomic and durable: when it resolves,
   * the complete file is stored, and when it rejects, nothing is. Rejects if `name` exists. Removes the spool file on
   * success; on failure, the caller removes it.
   */
  publish: (spoolPath: string, name: string) => Promise<void>
  /**
   * Returns a stream of the file or of a range. Rejects with code `ENOENT` if the file does not exist. Destroying the
   * stream releases all resources.
   */
  open: (name: string, range?: ByteRange) => Promise<Readable>
  /** Returns the size in bytes, or null if the file does not exist. */
  stat: (name: string) => Promise<StoredSnapshot | null>
  /** Deletes the file. Idempotent: also resolves if the file does not exist. */
  remove: (name: string) => Promise<void>
  /**
   * Returns the names of all files, snapshots and markers, in any order. With a prefix, the names that begin with it
   * are sufficient; a storage that cannot filter may return all names.
   */
  list: (prefix?: string) => Promise<Array<Pick<StoredSnapshot, 'name'>>>
}
