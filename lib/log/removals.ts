import { backupKey, retentionKey, tryLock, waitForLock } from '../postgres/locks.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { carryCounts, type DeletedRow, returnedCounts } from './carried-counts.ts'
import { type LogAccess, newEvent, withEvents } from './log-access.ts'
import { type FinishedBackup, type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'

type FinishedRow = LogRow<FinishedBackup['backup']['status']>

/** Removes rows: sets a mark, then the file is deleted, then the row. So a removal can be continued after a crash. */
export function removals (access: LogAccess) {
  const { table, transact, select } = access
  /**
   * Whether the row can be deleted. The newest slot of each schema must stay claimed, by a row that is hidden: without
   * it, a run for that slot would start again after a restart.
   */
  const keepsNoSlot =
    `(slot IS NULL OR slot < (SELECT max(newer.slot) FROM ${table} newer WHERE newer.schema = old.schema))`

  return {
    /**
     * Marks snapshots of one schema as being removed, in one transaction; another removal of that schema waits.
     * `choose` gets every finished row and the time by the database's clock, and returns the rows to remove. Skips rows
     * that a restore uses, in any replica, and rows that were pinned in the meantime. Choices with a reason are pruned;
     * another row of the schema records that, since their own rows will be deleted.
     */
    async markRemoved<Choice extends { id: string, reason?: string }> (
      ofSchema: string, choose: (finished: FinishedBackup[], now: Date) => Choice[]
    ): Promise<Array<Choice & FinishedBackup>> {
      return await transact(async (tx) => {
        await waitForLock(tx, retentionKey(ofSchema))
        const finished = await tx.query<FinishedRow>(`SELECT ${logColumns} FROM ${table}
          WHERE schema = $1::text AND status <> 'running' AND removed_at IS NULL`, [ofSchema])
        const { time } = await tx.queryRow<{ time: string }>('SELECT clock_timestamp() AS time')
        const pinned = new Set(finished.filter((row) => row.pinned).map(({ id }) => id))
        const marked: Array<Choice & FinishedBackup> = []
        for (const choice of choose(finished.map(toLoggedBackup), new Date(time))) {
          if (!await tryLock(tx, backupKey(choice.id))) continue
          const rows = await tx.query<FinishedRow>(`WITH q AS (UPDATE ${table} SET removed_at = clock_timestamp()
            WHERE id = $1::text::uuid AND pinned = $2::text::boolean RETURNING ${logColumns})`,
          [choice.id, String(pinned.has(choice.id))])
          marked.push(...rows.map((row) => ({ ...choice, ...toLoggedBackup(row) })))
        }
        await recordPruned(tx, table, ofSchema, marked)
        return marked
      })
    },

    ...rowDeletion(access, keepsNoSlot),

    /** Rows whose removal has begun and not ended, without those that only keep their slot. */
    async removing (): Promise<LoggedBackup[]> {
      return await select(`removed_at IS NOT NULL AND (has_file OR ${keepsNoSlot})`)
    }
  }
}

function rowDeletion ({ table, transact }: LogAccess, keepsNoSlot: string) {
  return {
    /** Deletes the row, unless it must keep its slot. Its runs are counted with the newest other row of the schema. */
    async deleteRow (ofSchema: string, id: string): Promise<void> {
      await transact(async (tx) => {
        await waitForLock(tx, retentionKey(ofSchema))
        // In the order in which a restore locks rows
        const locked = await tx.query<{ id: string }>(`SELECT id FROM (SELECT id, ordinal FROM ${table}
          WHERE id = $1::text::uuid OR id = (SELECT id FROM ${table} WHERE schema = $2::text AND id <> $1::text::uuid
            ORDER BY ordinal DESC, id DESC LIMIT 1) ORDER BY ordinal DESC, id DESC FOR UPDATE) both_rows`,
        [id, ofSchema])
        const heir = locked.find((row) => row.id !== id)
        await tx.query(`WITH q AS (UPDATE ${table} SET has_file = false WHERE id = $1::text::uuid RETURNING id)`, [id])
        const deleted = await tx.query<DeletedRow>(`WITH q AS (DELETE FROM ${table} old
          WHERE id = $1::text::uuid AND ${keepsNoSlot} RETURNING ${returnedCounts})`, [id])
        if (heir !== undefined) await carryCounts(tx, table, heir.id, deleted)
      })
    }
  }
}

/**
 * Adds the event to a row that stays. That row must not be waited for, since this transaction has locked other rows
 * before it. When a restore has locked all rows of the schema, other replicas do not report the removal.
 */
async function recordPruned (
  tx: Transaction, table: string, ofSchema: string, marked: Array<LoggedBackup & { reason?: string }>
): Promise<void> {
  const pruned = marked.flatMap(({ backup, restoreSchema, restoredInto, reason }) =>
    reason === undefined ? [] : [{ name: 'backup:pruned', reason, backup, restoreSchema, restoredInto }])
  if (pruned.length === 0) return
  await tx.query(`WITH q AS (UPDATE ${table} SET ${withEvents(`SELECT ${newEvent('entry')}
      FROM jsonb_array_elements($2::text::jsonb) AS entries (entry)`)}
    WHERE id = (SELECT id FROM ${table} WHERE schema = $1::text AND removed_at IS NULL
      ORDER BY ordinal DESC, id DESC LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id)`,
  [ofSchema, JSON.stringify(pruned)])
}
