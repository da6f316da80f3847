import { randomUUID } from 'node:crypto'
import { connectBeside, type Sql } from './connection.ts'

/** Cancels statements of one transaction. */
export interface Canceller {
  /** The transaction must have this application_name. */
  name: string
  /** Cancels the running statement, by another connection: a COPY does not end when its stream is destroyed. */
  cancel: () => void
  /**
   * No request is made after this is called, and those made before have arrived when it resolves: none of them can
   * cancel ROLLBACK, or a statement of the next user of the connection.
   */
  close: () => Promise<void>
}

/**
 * Finds the transaction by its name, because reading its process id would take a SELECT: the first one of a REPEATABLE
 * READ transaction fixes its snapshot, so the caller must choose it.
 */
export function createCanceller (sql: Sql): Canceller {
  const name = `fastify-backup ${randomUUID()}`
  let requests: Promise<unknown> = Promise.resolve()
  let closed = false
  return {
    name,
    cancel () {
      if (!closed) requests = Promise.allSettled([requests, cancelNamed(sql, name)])
    },
    async close () {
      closed = true
      await requests
    }
  }
}

/** Opens a connection: those of the pool may all wait for locks that the transaction has. */
async function cancelNamed (sql: Sql, name: string): Promise<void> {
  const beside = connectBeside(sql)
  try {
    await beside.unsafe(`SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity
      WHERE application_name = '${name}' AND backend_type = 'client backend'`)
  } finally {
    await beside.end({ timeout: 1 })
  }
}
