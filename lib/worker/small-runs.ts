import { isSmallSchema, type SizeLimits } from '../postgres/catalog/small-schema.ts'
import type { Sql } from '../postgres/driver/connection.ts'
import { shutdownMs } from '../shutdown.ts'
import { createLocalRunner, type Runner } from './runner.ts'

/**
 * Takes snapshots of small schemas in this thread, and leaves all other runs to `workers`.
 * @param pool only for these snapshots: neither the application nor the log waits for it. Ends with close()
 */
export function withSmallRuns (workers: Runner, pool: Sql, limits: SizeLimits): Runner {
  const local = createLocalRunner(pool)
  return {
    ...workers,
    async takeSnapshot (job, hooks) {
      const isSmall = await unlessAborted(hooks.signal, isSmallSchema(pool, job.schema, limits))
      await (isSmall ? local : workers).takeSnapshot(job, hooks)
    },
    async close () {
      await Promise.all([workers.close(), pool.end({ timeout: shutdownMs.workers / 1000 })])
    }
  }
}

/** Rejects when the signal aborts: a connection to the database may take long. */
async function unlessAborted<T> (signal: AbortSignal, work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => { reject(signal.reason) }, { signal: over.signal })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    over.abort()
  }
}
