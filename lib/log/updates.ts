import type { LogAccess } from './log-access.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'

/** What may be changed about a backup that has ended. */
export interface BackupChanges { pinned?: boolean, note?: string | null, accepted?: boolean }

export function updates ({ table, transact, change }: LogAccess) {
  return {
    /**
     * Takes the next version of the sidecar file, before that is written. Gives the row as it is from then on: whoever took a version before and has
     * not ended yet, fails with update(). Undefined when the row is gone.
     */
    async reserveSidecar (id: string): Promise<LoggedBackup & { sidecar: number } | undefined> {
      const [reserved] = await change('sidecar = coalesce(sidecar, 0) + 1', 'id = $1::text::uuid AND removed_at IS NULL', [id])
      return reserved && { ...reserved, sidecar: Number(reserved.sidecar) }
    },

    /**
     * Undefined when the row is gone, or when its sidecar file is no longer of this version: somebody else was faster. An acceptance of a
     * suspect or an adopted snapshot also releases the adopted ones of the schema up to this one.
     */
    async update (id: string, changes: BackupChanges, sidecar: number | null): Promise<LoggedBackup | undefined> {
      const { pinned, note, accepted } = changes
      const flag = (value: boolean | undefined): string | null => value === undefined ? null : String(value)
      return await transact(async (tx) => {
        const [before] = await tx.query<{ releases: boolean }>(`SELECT adopted OR suspect IS NOT NULL AS releases FROM ${table}
          WHERE id = $1::text::uuid FOR UPDATE`, [id])
        const [row] = await tx.query<LogRow>(`WITH q AS (UPDATE ${table} SET pinned = coalesce($2::text::boolean, pinned),
            note = CASE WHEN $3::text::boolean THEN $4::text ELSE note END, accepted = coalesce($5::text::boolean, accepted),
            adopted = adopted AND $5::text::boolean IS NOT TRUE
          WHERE id = $1::text::uuid AND removed_at IS NULL AND ${isVersion('$6')} RETURNING ${logColumns})`,
        [id, flag(pinned), String(note !== undefined), note ?? null, flag(accepted), textOf(sidecar)])
        if (row === undefined) return undefined
        if (accepted === true && before?.releases === true) {
          await tx.query(`WITH q AS (UPDATE ${table} SET adopted = false WHERE schema = $1::text AND adopted AND ordinal <= $2::text::int8 RETURNING id)`,
            [row.schema, String(row.ordinal)])
        }
        return toLoggedBackup(row)
      })
    }
  }
}

const isVersion = (parameter: string): string => `sidecar IS NOT DISTINCT FROM ${parameter}::text::int`

const textOf = (version: number | null): string | null => version === null ? null : String(version)
