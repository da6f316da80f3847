import type { LogAccess } from './log-access.ts'

/** Failed attempts at a slot, which gave it back. */
export function slotAttempts ({ table, query }: LogAccess) {
  const attempts = `schema = $1::text AND trigger = 'scheduled' AND status = 'failed' AND slot IS NULL AND removed_at IS NULL
    AND started_at >= $2::text::timestamptz`

  return {
    /**
     * Of the attempts at the schema's newest slot, keeps the first and the newest, which tell since when it fails and why: a day of retries
     * must not push everything else out of the history. What somebody has pinned or noted stays as well.
     */
    async thinAttempts (ofSchema: string, slot: Date): Promise<void> {
      await query(`WITH q AS (DELETE FROM ${table} WHERE ${attempts} AND NOT has_file AND NOT pinned AND note IS NULL
        AND ordinal > (SELECT min(ordinal) FROM ${table} WHERE ${attempts})
        AND ordinal < (SELECT max(ordinal) FROM ${table} WHERE ${attempts}) RETURNING id)`, [ofSchema, slot.toISOString()])
    }
  }
}
