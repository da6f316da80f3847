import type { BackupTrigger } from '../../types/index.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'
import type { LogAccess } from './log-access.ts'

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
}

export function adoptions ({ table, transact, query, select }: LogAccess) {
  return {
    /** Rows for all of them, or for none; but not for one whose name or id has got a row in the meantime. */
    async adopt (found: FoundSnapshot[]): Promise<LoggedBackup[]> {
      return await transact(async (tx) => {
        const adopted: LoggedBackup[] = []
        for (const { id, schema, filename, trigger, note, createdAt, sizeBytes, tableCount, rowCount, checksum } of found) {
          const rows = await tx.query<LogRow>(`WITH q AS (
            INSERT INTO ${table} (id, schema, filename, trigger, note, started_at, finished_at, size_bytes, table_count, row_count, checksum, status, has_file)
            VALUES ($1::text::uuid, $2::text, $3::text, $4::text, $5::text, $6::text::timestamptz, $6::text::timestamptz, $7::text::int8, $8::text::int, $9::text::int8, $10::text, 'completed', true)
            ON CONFLICT DO NOTHING RETURNING ${logColumns})`,
          [id, schema, filename, trigger, note, createdAt.toISOString(), String(sizeBytes), String(tableCount), String(rowCount), checksum])
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
      return await select("status IN ('completed', 'restored') AND removed_at IS NULL", [], 'ORDER BY started_at DESC, id DESC')
    }
  }
}
