import { schemaKey, tryLock } from '../postgres/locks.ts'
import { endOfRun, inList, type LogAccess } from './log-access.ts'

/** Runs that count as running, and are not: their process ended, or lost the database. */
export function deadRuns ({ table, now, transact, query }: LogAccess) {
  async function runningSchemas (): Promise<string[]> {
    const rows = await query<{ schema: string }>(`SELECT schema FROM ${table} WHERE status = 'running'
      UNION SELECT restore_schema FROM ${table} WHERE restore ->> 'status' = 'running'`)
    return rows.map(({ schema: name }) => name)
  }

  return {
    /** Marks them as failed, and gives their slots back. A run that lives, in whichever replica, holds the lock of its schema. */
    async failDead (reason: string): Promise<void> {
      for (const ofSchema of await runningSchemas()) {
        await transact(async (tx) => {
          if (!await tryLock(tx, schemaKey(ofSchema))) return
          const parameters = [ofSchema, reason, now().toISOString()]
          await tx.query(`WITH q AS (UPDATE ${table} SET progress = NULL, restore = restore || jsonb_build_object('status', 'failed', 'error', $2::text, 'finishedAt', $3::text)
            WHERE restore_schema = $1::text AND restore ->> 'status' = 'running' RETURNING id)`, parameters)
          await tx.query(`WITH q AS (UPDATE ${table} SET status = 'failed', error = $2::text, slot = NULL, ${endOfRun('$3')}
            WHERE schema = $1::text AND status = 'running' RETURNING id)`, parameters)
        })
      }
    },

    /** Those of `ids` that are in the log and don't run. */
    async settled (ids: string[]): Promise<string[]> {
      const rows = await query<{ id: string }>(`SELECT id FROM ${table} WHERE status <> 'running' AND id::text ${inList('$1')}`, [JSON.stringify(ids)])
      return rows.map(({ id }) => id)
    }
  }
}
