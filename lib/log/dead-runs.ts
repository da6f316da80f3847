import { backupKey, isLocked, schemaKey } from '../postgres/locks.ts'
import { endOfRun, inList, type LogAccess } from './log-access.ts'

/** A backup that counts as running, or a restore: then with the time that tells it from others of the same snapshot. */
interface Running { id: string, schema: string, isImport: boolean, restoreStartedAt: string | null }

/** What it holds while it lives. */
const keyOf = ({ id, schema, isImport }: Running): string => isImport ? backupKey(id) : schemaKey(schema)

/** Runs that count as running, and are not: their process ended, or lost the database. */
export function deadRuns ({ table, now, transact, query }: LogAccess) {
  async function running (): Promise<Running[]> {
    return await query<Running>(`SELECT id::text AS id, schema, trigger = 'import' AS "isImport", NULL AS "restoreStartedAt" FROM ${table} WHERE status = 'running'
      UNION ALL SELECT id::text, restore_schema, false, restore ->> 'startedAt' FROM ${table} WHERE restore ->> 'status' = 'running'`)
  }

  return {
    /**
     * Marks them as failed, and gives their slots back. A run that lives, in whichever replica, holds the lock of its schema, or an import that of
     * its backup, from before its record is there. That lock is looked at and not taken: who wants to begin a run at that moment would take us for another one.
     */
    async failDead (reason: string): Promise<void> {
      const found = await running()
      for (const key of new Set(found.map(keyOf))) {
        const listed = found.filter((run) => keyOf(run) === key)
        const backups = listed.filter(({ restoreStartedAt }) => restoreStartedAt === null).map(({ id }) => id)
        const restores = listed.filter(({ restoreStartedAt }) => restoreStartedAt !== null).map(({ id, restoreStartedAt }) => `${id} ${restoreStartedAt}`)
        await transact(async (tx) => {
          if (await isLocked(tx, key)) return
          const time = now().toISOString()
          await tx.query(`WITH q AS (UPDATE ${table} SET progress = NULL, restore = restore || jsonb_build_object('status', 'failed', 'error', $2::text, 'finishedAt', $3::text)
            WHERE id::text || ' ' || (restore ->> 'startedAt') ${inList('$1')} AND restore ->> 'status' = 'running' RETURNING id)`, [JSON.stringify(restores), reason, time])
          await tx.query(`WITH q AS (UPDATE ${table} SET status = 'failed', error = $2::text, slot = NULL, ${endOfRun('$3')}
            WHERE id::text ${inList('$1')} AND status = 'running' RETURNING id)`, [JSON.stringify(backups), reason, time])
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
