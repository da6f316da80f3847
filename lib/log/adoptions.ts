import type { BackupTrigger, SuspectTable } from '../../types/index.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'
import { snapshotCondition, type LogAccess } from './log-access.ts'

/** A snapshot that was found in the storage, and has no row. */
export interface FoundSnapshot {
  id: string
  schema: string
  filename: string
  trigger: BackupTrigger
  note: string | null
  createdAt: Date
  sizeBytes: number
  tableCount: number
  rowCount: number
  /** Of the whole file. */
  checksum: string
  /** Null: not to be compared. */
  rowCounts: Record<string, number | null> | null
  partial: boolean
  suspect: SuspectTable[] | null
  pinned: boolean
  accepted: boolean
  /** Version of its sidecar file; null when there is none. */
  sidecar: number | null
}

export function adoptions ({ table, transact, query, select }: LogAccess) {
  return {
    /**
     * Rows for all of them, or for none; but not for one whose name or id has got a row in the meantime. They come before all rows that the log has,
     * since nothing proves that they are newer: a date in a file is that of somebody's clock.
     * @param found oldest first
     */
    async adopt (found: FoundSnapshot[]): Promise<LoggedBackup[]> {
      return await transact(async (tx) => {
        const adopted: LoggedBackup[] = []
        const { first } = await tx.queryRow<{ first: number }>(`SELECT least(coalesce(min(ordinal), 0), 0) AS first FROM ${table}`)
        for (const [place, snapshot] of found.entries()) {
          const rows = await tx.query<LogRow>(`WITH q AS (INSERT INTO ${table} (id, schema, filename, trigger, note, started_at, finished_at, inserted_at,
              size_bytes, table_count, row_count, checksum, row_counts, partial, suspect, pinned, accepted, sidecar, ordinal, status, has_file, adopted)
            SELECT id, schema, filename, trigger, note, "createdAt", "createdAt", least("createdAt", clock_timestamp()),
              "sizeBytes", "tableCount", "rowCount", checksum, nullif("rowCounts", 'null'), partial, nullif(suspect, 'null'), pinned, accepted, sidecar, $2::text::int8, 'completed', true, true
            FROM json_to_record($1::text::json) AS (id uuid, schema text, filename text, trigger text, note text, "createdAt" timestamptz, "sizeBytes" int8,
              "tableCount" int, "rowCount" int8, checksum text, "rowCounts" jsonb, partial boolean, suspect jsonb, pinned boolean, accepted boolean, sidecar int)
            ON CONFLICT DO NOTHING RETURNING ${logColumns})`, [JSON.stringify(snapshot), String(first - found.length + place)])
          adopted.push(...rows.map(toLoggedBackup))
        }
        return adopted
      })
    },

    /** Every row there is, also of runs and removals that are under way. */
    async files (): Promise<Array<{ id: string, filename: string }>> {
      return await query(`SELECT id::text AS id, filename FROM ${table}`)
    },

    /** All that ought to have a file. */
    async completed (): Promise<LoggedBackup[]> {
      return await select(snapshotCondition, [], 'ORDER BY ordinal DESC, id DESC')
    }
  }
}
