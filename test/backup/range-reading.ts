import { readFile, rm } from 'node:fs/promises'
import { type SnapshotHooks, takeSnapshot } from '../../lib/backup/take-snapshot.ts'
import { createPool, type Sql } from '../../lib/postgres/driver/connection.ts'
import type { TestScope } from '../support/database.ts'
import { connectionOf, type Place } from '../support/engine.ts'
import { snapshotJob } from '../worker/snapshot-job.ts'

const id = '6d0c7a52-54a3-4f5e-9f6b-3f2a1c1b0e11'

export interface Taken {
  file: Buffer
  /** How many connections have read ranges. */
  readers: number
  ranges: number
}

export interface Reading { take: (connections: number, hooks?: Partial<SnapshotHooks>) => Promise<Taken>, pool: Sql }

/** Takes snapshots with several connections, and counts those that have read a part of a table. */
export async function useReading (
  t: TestScope, place: Pick<Place, 'url' | 'directory'>, options: { ssl?: 'prefer' } = {}
): Promise<Reading> {
  const readers = new Map<number, number>()
  const pool = createPool({
    ...connectionOf(place.url),
    ...options,
    debug (connection, text) {
      const ranges = text.match(/ctid OPERATOR\(pg_catalog\.>=\)/g)?.length ?? 0
      if (ranges > 0) readers.set(connection, (readers.get(connection) ?? 0) + ranges)
    }
  })
  t.after(async () => { await pool.end({ timeout: 1 }) })
  return {
    pool,
    async take (connections, hooks = {}) {
      readers.clear()
      const job = { ...snapshotJob(place as Place, id), connections }
      let file = Buffer.alloc(0)
      await takeSnapshot(pool, job, {
        async onLocked () {},
        async onWritten () { file = await readFile(job.spoolPath) },
        onProgress () {},
        signal: new AbortController().signal,
        ...hooks
      })
      await rm(job.spoolPath)
      return { file, readers: readers.size, ranges: [...readers.values()].reduce((sum, count) => sum + count, 0) }
    }
  }
}
