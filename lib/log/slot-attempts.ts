import { retentionKey, waitForLock } from '../postgres/locks.ts'
import { carryOver, type DeletedRow, returnedByDelete } from './carry-over.ts'
import type { LogAccess } from './log-access.ts'

/** Failed scheduled runs, which released their slot. */
export function slotAttempts ({ table, transact }: LogAccess) {
  const attempts = `schema = $1::text AND trigger = 'scheduled' AND status = 'failed' AND slot IS NULL
    AND removed_at IS NULL AND started_at >= $2::text::timestamptz`

  return {
    /**
     * Deletes all attempts for the schema's newest slot except the first and the newest, which show since when it fails
     * and why: a day of retries must not displace everything else in the history. Keeps rows that a user has pinned or
     * noted.
     */
    async thinAttempts (ofSchema: string, slot: Date): Promise<void> {
      const parameters = [ofSchema, slot.toISOString()]
      await transact(async (tx) => {
        await waitForLock(tx, retentionKey(ofSchema))
        const [newest] = await tx.query<{ id: string }>(
          `SELECT id FROM ${table} WHERE ${attempts} ORDER BY ordinal DESC LIMIT 1`, parameters)
        if (newest === undefined) return
        const deleted = await tx.query<DeletedRow>(`WITH q AS (DELETE FROM ${table}
          WHERE ${attempts} AND NOT has_file AND NOT pinned AND note IS NULL AND id <> $3::text::uuid
          AND ordinal > (SELECT min(ordinal) FROM ${table} WHERE ${attempts}) RETURNING ${returnedByDelete})`,
        [...parameters, newest.id])
        await carryOver(tx, table, newest.id, deleted)
      })
    }
  }
}
