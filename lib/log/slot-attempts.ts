import type { LogAccess } from './log-access.ts'

/** Failed scheduled runs, which released their slot. */
export function slotAttempts ({ table, query }: LogAccess) {
  const attempts = `schema = $1::text AND trigger = 'scheduled' AND status = 'failed' AND slot IS NULL
    AND removed_at IS NULL AND started_at >= $2::text::timestamptz`

  return {
    /**
     * Deletes all attempts for the schema's newest slot except the first and the newest, which show since when it fails
     * and why: a day of retries must not displace everything else in the history. Keeps rows that a user has pinned or
     * noted.
     */
    async thinAttempts (ofSchema: string, slot: Date): Promise<void> {
      await query(`WITH q AS (DELETE FROM ${table} WHERE ${attempts} AND NOT has_file AND NOT pinned AND note IS NULL
        AND ordinal > (SELECT min(ordinal) FROM ${table} WHERE ${attempts})
        AND ordinal < (SELECT max(ordinal) FROM ${table} WHERE ${attempts}) RETURNING id)`,
      [ofSchema, slot.toISOString()])
    }
  }
}
