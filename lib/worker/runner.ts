import { openPlain } from '../pipeline/plain-source.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import type { RestoreHooks, RestoreJob } from '../restore/restore-job.ts'
import { restoreSnapshot, type RestoredSnapshot } from '../restore/restore-snapshot.ts'
import type { ReadHooks } from '../snapshot/read-with-progress.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { type SnapshotHooks, type SnapshotJob, takeSnapshot } from '../backup/take-snapshot.ts'
import type { StoredFile } from '../storage/stored-file.ts'
import { readThrough } from '../snapshot/find-problems.ts'

/**
 * Does the work of a run, from the connection to the file, in this thread or in a worker thread. Log, events and
 * storage are not part of it; the hooks access them.
 */
export interface Runner {
  takeSnapshot: (job: SnapshotJob, hooks: SnapshotHooks) => Promise<void>
  restoreSnapshot: (job: RestoreJob, hooks: RestoreHooks) => Promise<RestoredSnapshot>
  /** Reads a snapshot to its end, without a database. `file` as in RestoreJob. */
  readThrough: (file: StoredFile | null, hooks: ReadHooks) => Promise<ReadSnapshot>
  /** Ends the runs that are still running. */
  close: () => Promise<void>
}

/** @param storedBytes the size of the file, for a run that reads parts of it */
const plain = <Hooks extends ReadHooks>(hooks: Hooks, storedBytes?: number): Hooks =>
  ({ ...hooks, open: openPlain(hooks.open, storedBytes) })

/** Does runs in this thread, with connections of the pool. */
export function createLocalRunner (sql: Sql): Runner {
  return {
    takeSnapshot: async (job, hooks) => { await takeSnapshot(sql, job, hooks) },
    restoreSnapshot: async (job, hooks) => await restoreSnapshot(sql, job, plain(hooks, job.storedBytes)),
    readThrough: async (file, hooks) => await readThrough(plain(hooks)),
    // Runs end when the pool ends
    async close () {}
  }
}
