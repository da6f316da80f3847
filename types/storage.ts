import type { Readable } from 'node:stream'

/** Byte offsets, both inclusive, as in an HTTP Range (RFC 9110, 14.1.2). */
export interface ByteRange { start: number, end: number }

export interface StoredSnapshot { name: string, sizeBytes: number }

/**
 * Where snapshot files live, and empty markers beside them that say whose they are (their names begin with `.fastify-backup-log.`). Names are
 * bare file names, made by the plugin; an implementation refuses all others before it touches anything.
 */
export interface SnapshotStorage {
  /**
   * Moves the finished file at `spoolPath` (local, already fsynced) to `name`. Atomic and durable when it resolves:
   * the whole file is there, or nothing. Rejects when `name` exists. The spool file is gone afterwards, or on failure left to the caller.
   */
  publish: (spoolPath: string, name: string) => Promise<void>
  /** A stream over the file or a part of it. Rejects with code `ENOENT` when it is not there. Destroying the stream frees everything. */
  open: (name: string, range?: ByteRange) => Promise<Readable>
  /** Size in bytes, or null when there is no such file. */
  stat: (name: string) => Promise<StoredSnapshot | null>
  /** Idempotent: resolves as well when there is no such file. */
  remove: (name: string) => Promise<void>
  /**
   * The names of every file held, in no particular order: the snapshots, and the markers that say whose they are. With a prefix, those that
   * begin with it are enough; a storage that can't tell them apart gives all.
   */
  list: (prefix?: string) => Promise<Array<Pick<StoredSnapshot, 'name'>>>
}
