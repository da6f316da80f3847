import type { Transaction } from '../postgres/driver/transaction.ts'
import { backupKey, isLocked, schemaKey } from '../postgres/locks.ts'
import { endOfRun, failedEvent, inList, type LogAccess, type LoggedError, withEvent } from './log-access.ts'
import { isBeingRestored } from './log-row.ts'
import { failedRestore } from './restore-records.ts'

/**
 * A backup that the log has as running, or a restore. A restore has the time that distinguishes it from others of the
 * same snapshot.
 */
interface Running { id: string, schema: string, isImport: boolean, restoreStartedAt: string | null }

/** The key of the lock that the run keeps while it is alive. */
const keyOf = ({ id, schema, isImport }: Running): string => isImport ? backupKey(id) : schemaKey(schema)

/** Runs that the log has as running although they have ended: their process ended, or lost the database. */
export function deadRuns ({ table, now, transact, query }: LogAccess) {
  async function running (): Promise<Running[]> {
    return await query<Running>(`SELECT id::text AS id, schema, trigger = 'import' AS "isImport",
        NULL AS "restoreStartedAt" FROM ${table} WHERE status = 'running'
      UNION ALL SELECT id::text, record ->> 'schema', false, record ->> 'startedAt'
        FROM ${table}, jsonb_array_elements(restores) AS records (record)
        WHERE ${isBeingRestored} AND record ->> 'status' = 'running'`)
  }

  async function fail (tx: Transaction, runs: Running[], { code, message }: LoggedError): Promise<void> {
    const time = now().toISOString()
    for (const { id, schema, restoreStartedAt } of runs) {
      if (restoreStartedAt === null) continue
      await tx.query(failedRestore(table), [id, schema, restoreStartedAt, message, time, code])
    }
    const backups = runs.filter(({ restoreStartedAt }) => restoreStartedAt === null).map(({ id }) => id)
    await tx.query(`WITH q AS (UPDATE ${table} SET status = 'failed', error = $2::text, error_code = $4::text,
        slot = NULL, ${endOfRun('$3')}, ${withEvent(failedEvent('backup:failed', '$4', '$2'))}
      WHERE id::text ${inList('$1')} AND status = 'running' RETURNING id)`,
    [JSON.stringify(backups), message, time, code])
  }

  return {
    /**
     * Marks them as failed, and releases their slots. A run that is alive, in any replica, has locked its schema
     * (an import: its backup) since before its row was inserted. This only reads whether it is locked: taking the lock
     * would make a run that begins at that moment fail as busy.
     */
    async failDead (reason: LoggedError): Promise<void> {
      const found = await running()
      for (const key of new Set(found.map(keyOf))) {
        await transact(async (tx) => {
          if (!await isLocked(tx, key)) await fail(tx, found.filter((run) => keyOf(run) === key), reason)
        })
      }
    },

    /** Those of `ids` that are in the log and are not running. */
    async ended (ids: string[]): Promise<string[]> {
      const rows = await query<{ id: string }>(
        `SELECT id FROM ${table} WHERE status <> 'running' AND id::text ${inList('$1')}`, [JSON.stringify(ids)])
      return rows.map(({ id }) => id)
    }
  }
}
