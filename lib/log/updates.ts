import type { BackupChanges, Verification } from '../../types/index.ts'
import type { LogAccess } from './log-access.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'

/** A damaged file may have a problem in each of its tables, and a problem contains names of the file. */
const recordedProblems = 5
const recordedLength = 500

/** Changes by users to finished backups. */
export function updates ({ table, transact, change, toStorable, toStorableJson }: LogAccess) {
  return {
    /** Records that the complete file has been checked now, with the first of the problems. */
    async recordVerification (id: string, { ok, problems }: Verification): Promise<void> {
      const shown = problems.slice(0, recordedProblems).map((text) => text.slice(0, recordedLength))
      await change(`verification = $2::text::jsonb || jsonb_build_object('at', clock_timestamp()),
        verified_at = CASE WHEN $3::text::boolean THEN clock_timestamp() ELSE verified_at END`,
      'id = $1::text::uuid', [id, await toStorableJson({ ok, problems: shown }), String(ok)])
    },

    /**
     * Reserves the next version of the sidecar file, before the file is written. Returns the new row. An update() with
     * an earlier version that has not ended fails from then on. Undefined when the row no longer exists.
     */
    async reserveSidecar (id: string): Promise<LoggedBackup & { sidecar: number } | undefined> {
      const [reserved] = await change('sidecar = coalesce(sidecar, 0) + 1',
        'id = $1::text::uuid AND removed_at IS NULL', [id])
      return reserved && { ...reserved, sidecar: Number(reserved.sidecar) }
    },

    /**
     * Undefined when the row no longer exists, or when another update has reserved a newer version of its sidecar file.
     * Accepting a suspect or an adopted snapshot also clears `adopted` of the rows of the schema up to this one.
     */
    async update (id: string, changes: BackupChanges, sidecar: number | null): Promise<LoggedBackup | undefined> {
      const { pinned, accepted } = changes
      const note = await toStorable(changes.note ?? null)
      return await transact(async (tx) => {
        const [before] = await tx.query<{ clears: boolean }>(`SELECT adopted OR suspect IS NOT NULL AS clears
          FROM ${table}
          WHERE id = $1::text::uuid FOR UPDATE`, [id])
        const [row] = await tx.query<LogRow>(`WITH q AS (UPDATE ${table} SET
            pinned = coalesce($2::text::boolean, pinned),
            note = CASE WHEN $3::text::boolean THEN $4::text ELSE note END,
            accepted = coalesce($5::text::boolean, accepted),
            adopted = adopted AND $5::text::boolean IS NOT TRUE
          WHERE id = $1::text::uuid AND removed_at IS NULL AND ${isVersion('$6')} RETURNING ${logColumns})`,
        [id, flag(pinned), String(changes.note !== undefined), note, flag(accepted), textOf(sidecar)])
        if (row === undefined) return undefined
        if (accepted === true && before?.clears === true) {
          // In the order in which a restore locks rows
          await tx.query(`WITH locked AS MATERIALIZED (SELECT id FROM ${table}
            WHERE schema = $1::text AND adopted AND ordinal <= $2::text::int8 ORDER BY ordinal DESC, id DESC
            FOR UPDATE),
            q AS (UPDATE ${table} SET adopted = false WHERE id IN (SELECT id FROM locked) RETURNING id)`,
          [row.schema, String(row.ordinal)])
        }
        return toLoggedBackup(row)
      })
    }
  }
}

const flag = (value: boolean | undefined): string | null => value === undefined ? null : String(value)

const isVersion = (parameter: string): string => `sidecar IS NOT DISTINCT FROM ${parameter}::text::int`

const textOf = (version: number | null): string | null => version === null ? null : String(version)
