import type { Sql } from '../postgres/driver/connection.ts'
import { isUnavailable } from '../postgres/database-error.ts'
import { lockTimeoutMs } from '../postgres/locks.ts'
import { pinSettings, type RoleSettings, setLocal, withRoleSettings } from '../postgres/settings.ts'
import { inTransaction } from '../postgres/driver/transaction.ts'

/**
 * Updates the planner's statistics after a restore. Autovacuum would do so later, but not for partitioned tables.
 *
 * A failure is ignored, because the restore has been committed. Tables that another session has locked, for example
 * for VACUUM or CREATE INDEX, are skipped. If ANALYZE fails for one table, for example because of a function in an
 * index, each table is analyzed in a separate transaction.
 * @param tables qualified names
 */
export async function analyzeTables (
  sql: Sql, tables: string[], roleSettings: RoleSettings, signal: AbortSignal
): Promise<void> {
  const analyzeTogether = async (names: string[]): Promise<void> => {
    await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
      await pinSettings(tx)
      // SKIP_LOCKED does not apply to the tables that functions read
      await tx.run(setLocal('lock_timeout', String(lockTimeoutMs)))
      await withRoleSettings(tx, roleSettings, async () => {
        await tx.run(`ANALYZE (SKIP_LOCKED) ${names.join(', ')}`)
      })
    }, signal)
  }
  if (tables.length === 0) return
  const failure = await analyzeTogether(tables).catch((error: unknown) => ({ error }))
  if (failure === undefined || isUnavailable(failure.error)) return
  for (const table of tables) {
    if (!signal.aborted) await analyzeTogether([table]).catch(() => {})
  }
}
