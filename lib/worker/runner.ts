import type { Sql } from '../postgres/driver/connection.ts'
import type { RestoreHooks, RestoreJob } from '../restore/restore-job.ts'
import { restoreSnapshot, type RestoredSnapshot } from '../restore/restore-snapshot.ts'
import type { ReadHooks } from '../snapshot/read-with-progress.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { type SnapshotHooks, type SnapshotJob, takeSnapshot } from '../backup/take-snapshot.ts'
import type { StoredFile } from '../storage/stored-file.ts'
import { readThrough } from '../snapshot/find-problems.ts'

/** Where runs take place: the work of a run from its connection to its file, without the log, the events and the storage, which its hooks reach. */
export interface Runner {
  takeSnapshot: (job: SnapshotJob, hooks: SnapshotHooks) => Promise<void>
  restoreSnapshot: (job: RestoreJob, hooks: RestoreHooks) => Promise<RestoredSnapshot>
  /** Reads a snapshot to its end, and needs no database. `file` as in RestoreJob. */
  readThrough: (file: StoredFile | null, hooks: ReadHooks) => Promise<ReadSnapshot>
  /** Ends what has not ended by itself. */
  close: () => Promise<void>
}

/** Runs take place in this thread, on the pool itself. */
export function createLocalRunner (sql: Sql): Runner {
  return {
    takeSnapshot: async (job, hooks) => { await takeSnapshot(sql, job, hooks) },
    restoreSnapshot: async (job, hooks) => await restoreSnapshot(sql, job, hooks),
    readThrough: async (file, hooks) => await readThrough(hooks),
    // The pool ends them
    async close () {}
  }
}
