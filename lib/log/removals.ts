import { backupKey, retentionKey, tryLock, waitForLock } from '../postgres/locks.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { carryOver, type DeletedRow, recordPruned, returnedByDelete } from './carry-over.ts'
import { failedWithFile, type LogAccess } from './log-access.ts'
import {
  type FinishedBackup, isBeingRestored, type LoggedBackup, logColumns, type LogRow, toLoggedBackup
} from './log-row.ts'

/** Whether the log has rows of runs that have not ended, of failed runs with a file, and of removals. */
export interface Unfinished { running: boolean, failed: boolean, removing: boolean }

type FinishedRow = LogRow<FinishedBackup['backup']['status']>

/** Why a backup is pruned: a part of the events of its row, until its file is deleted and the event is recorded. */
const reasonOfRemoval =
  "(SELECT event ->> 'reason' FROM jsonb_array_elements(events) AS e (event) WHERE event ->> 'name' = 'removal')"
const withoutReason = `events = (SELECT coalesce(jsonb_agg(event ORDER BY place), '[]')
  FROM jsonb_array_elements(events) WITH ORDINALITY AS e (event, place) WHERE event ->> 'name' <> 'removal')`

/** Removes rows: sets a mark, then the file is deleted, then the row. So a removal can be continued after a crash. */
export function removals (access: LogAccess) {
  const { table, transact } = access
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
     * that a restore uses, in any replica, and rows that were pinned in the meantime. Choices with a reason are pruned.
     */
    async markRemoved<Choice extends { id: string, reason?: string }> (
      ofSchema: string, choose: (finished: FinishedBackup[], now: Date) => Choice[]
    ): Promise<Array<Choice & FinishedBackup>> {
      return await transact(async (tx) => {
        await waitForLock(tx, retentionKey(ofSchema))
        const rows = await tx.query<FinishedRow>(`SELECT ${logColumns} FROM ${table}
          WHERE schema = $1::text AND status <> 'running' AND removed_at IS NULL ORDER BY ordinal DESC, id DESC`,
        [ofSchema])
        const { time } = await tx.queryRow<{ time: string }>('SELECT clock_timestamp() AS time')
        const choices = choose(rows.map(toLoggedBackup), new Date(time))
        const chosen = new Map(choices.map((choice) => [choice.id, choice]))
        const marked = new Map<string, FinishedBackup>()
        for (const { id, pinned } of rows) {
          const choice = chosen.get(id)
          if (choice === undefined || !await tryLock(tx, backupKey(id))) continue
          const [row] = await tx.query<FinishedRow>(markQuery(table), [id, String(pinned), choice.reason ?? null])
          if (row !== undefined) marked.set(id, toLoggedBackup(row))
        }
        return choices.flatMap((choice) => {
          const logged = marked.get(choice.id)
          return logged === undefined ? [] : [{ ...choice, ...logged }]
        })
      })
    },

    ...rowDeletion(access, keepsNoSlot),

    ...unfinishedRows(access, keepsNoSlot)
  }
}

/** `$2` is whether it was pinned before, and `$3` the reason, or null. */
const markQuery = (table: string): string => `WITH q AS (UPDATE ${table} SET removed_at = clock_timestamp(),
    events = events || CASE WHEN $3::text IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object(
      'name', 'removal', 'at', clock_timestamp(), 'in', pg_current_xact_id()::text, 'reason', $3::text)) END
  WHERE id = $1::text::uuid AND pinned = $2::text::boolean RETURNING ${logColumns})`

function unfinishedRows ({ table, query, select }: LogAccess, keepsNoSlot: string) {
  const isRemoving = `removed_at IS NOT NULL AND (has_file OR ${keepsNoSlot})`

  return {
    /** Rows whose removal has begun and not ended, without those that only keep their slot. */
    async removing (): Promise<LoggedBackup[]> {
      return await select(isRemoving)
    },

    /** Which kinds of rows a healing may have to change. Mostly none, which one round trip shows. */
    async unfinished (): Promise<Unfinished> {
      const [found] = await query<Unfinished>(`SELECT
        EXISTS (SELECT FROM ${table} WHERE status = 'running' OR ${isBeingRestored}) AS running,
        EXISTS (SELECT FROM ${table} WHERE ${failedWithFile}) AS failed,
        EXISTS (SELECT FROM ${table} old WHERE ${isRemoving}) AS removing`)
      return found as Unfinished
    }
  }
}

function rowDeletion ({ table, transact }: LogAccess, keepsNoSlot: string) {
  /** Returns the newest other row of the schema, which stays. The order of the locks is that of a restore. */
  async function lockRows (tx: Transaction, ofSchema: string, id: string): Promise<string | undefined> {
    const locked = await tx.query<{ id: string }>(`SELECT id FROM (SELECT id, ordinal FROM ${table}
      WHERE id = $1::text::uuid OR id = (SELECT id FROM ${table} WHERE schema = $2::text AND id <> $1::text::uuid
        ORDER BY ordinal DESC, id DESC LIMIT 1) ORDER BY ordinal DESC, id DESC FOR UPDATE) both_rows`,
    [id, ofSchema])
    return locked.find((row) => row.id !== id)?.id
  }

  return {
    /**
     * Deletes the row, unless it must keep its slot. The newest other row of the schema gets its counts and its events,
     * and, if it was pruned, that event: the file is deleted now.
     */
    async deleteRow (ofSchema: string, id: string): Promise<void> {
      await transact(async (tx) => {
        await waitForLock(tx, retentionKey(ofSchema))
        const heir = await lockRows(tx, ofSchema, id)
        const [found] = await tx.query<LogRow & { reason: string | null }>(
          `SELECT ${logColumns}, ${reasonOfRemoval} AS reason FROM ${table} WHERE id = $1::text::uuid`, [id])
        // Another replica has completed the removal
        if (found === undefined) return
        const { reason, ...row } = found
        await tx.query(`WITH q AS (UPDATE ${table} SET has_file = false, ${withoutReason}
          WHERE id = $1::text::uuid RETURNING id)`, [id])
        const deleted = await tx.query<DeletedRow>(`WITH q AS (DELETE FROM ${table} old
          WHERE id = $1::text::uuid AND ${keepsNoSlot} RETURNING ${returnedByDelete})`, [id])
        // Without another row, nothing of the schema is left to count or to report
        if (heir === undefined) return
        await carryOver(tx, table, heir, deleted)
        if (reason !== null) await recordPruned(tx, table, heir, row, reason)
      })
    }
  }
}
