import { asciiJson } from '../postgres/ascii.ts'
import type { Backup, BackupTrigger, Origin, SuspectTable } from '../../types/index.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'
import { snapshotCondition, type LogAccess } from './log-access.ts'

/** A snapshot that is in the storage and has no row. */
export interface FoundSnapshot {
  id: string
  schema: string
  filename: string
  trigger: BackupTrigger
  note: string | null
  createdAt: Date
  compression: Backup['compression']
  sizeBytes: number
  storedBytes: number
  tableCount: number
  rowCount: number
  /** Of the complete file. */
  checksum: string
  /** Null when the guard must not compare them. */
  rowCounts: Record<string, number | null> | null
  partial: boolean
  /** Only of an import. */
  origin: Origin | null
  suspect: SuspectTable[] | null
  pinned: boolean
  accepted: boolean
  /** Version of its sidecar file; null when there is none. */
  sidecar: number | null
}

/** Columns of `$1`, a FoundSnapshot as JSON. */
const foundColumns = `id uuid, schema text, filename text, trigger text, note text, "createdAt" timestamptz,
  compression text, "sizeBytes" int8, "storedBytes" int8, "tableCount" int, "rowCount" int8, checksum text,
  "rowCounts" jsonb, partial boolean, suspect jsonb, pinned boolean, accepted boolean, sidecar int`

/** Rows for snapshots that were found in the storage. */
export function adoptions ({ table, transact, query, select, toStorable, toStorableJson, possibleNames }: LogAccess) {
  /** The columns of a row as JSON, and its origin apart, since json_to_record() refuses some escapes. */
  async function toColumns ({ origin, ...snapshot }: FoundSnapshot): Promise<[columns: string, origin: string | null]> {
    const columns = await toStorableJson({ ...snapshot, note: await toStorable(snapshot.note) })
    return [columns, origin === null || snapshot.trigger !== 'import' ? null : asciiJson(origin)]
  }

  return {
    /**
     * Inserts rows for all of them, or none when it rejects. Skips those whose name or id has got a row in the
     * meantime. `unstorable` are the names of those whose schema or file name the database cannot contain. The new rows
     * precede all others in the log, because they may be older: a date in a file depends on the clock of another
     * machine.
     * @param found oldest first
     */
    async adopt (found: FoundSnapshot[]): Promise<{ adopted: LoggedBackup[], unstorable: string[] }> {
      const names = found.flatMap(({ schema, filename }) => [schema, filename])
      const possible = new Set(await possibleNames(names))
      const isStorable = ({ schema, filename }: FoundSnapshot): boolean =>
        possible.has(schema) && possible.has(filename)
      const storable = await Promise.all(found.filter(isStorable).map(toColumns))
      const adopted = await transact(async (tx) => {
        const { first } = await tx.queryRow<{ first: number }>(
          `SELECT least(coalesce(min(ordinal), 0), 0) AS first FROM ${table}`)
        const rows: LogRow[] = []
        for (const [index, [columns, origin]] of storable.entries()) {
          rows.push(...await tx.query<LogRow>(insertQuery(table),
            [columns, String(first - storable.length + index), origin]))
        }
        return rows.map(toLoggedBackup)
      })
      return { adopted, unstorable: found.filter((snapshot) => !isStorable(snapshot)).map(({ filename }) => filename) }
    },

    /** Files of all rows, also of runs and removals in progress. */
    async files (): Promise<Array<{ id: string, filename: string }>> {
      return await query(`SELECT id::text AS id, filename FROM ${table}`)
    },

    /** All rows that should have a file, newest first. */
    async completed (): Promise<LoggedBackup[]> {
      return await select(snapshotCondition, [], 'ORDER BY ordinal DESC, id DESC')
    }
  }
}

/** `$1` are the columns, `$2` the ordinal, and `$3` the origin. */
const insertQuery = (table: string): string => `WITH q AS (INSERT INTO ${table} (id, schema, filename, trigger, note,
    started_at, finished_at, inserted_at, compression, size_bytes, stored_bytes, table_count, row_count, checksum,
    row_counts, partial, origin, suspect, pinned, accepted, sidecar, ordinal, status, has_file, adopted, counted)
  SELECT id, schema, filename, trigger, note, "createdAt", "createdAt", least("createdAt", clock_timestamp()),
    compression, "sizeBytes", "storedBytes", "tableCount", "rowCount", checksum,
    nullif("rowCounts", 'null'), partial, $3::text::json,
    nullif(suspect, 'null'), pinned, accepted, sidecar, $2::text::int8, 'completed', true, true, false
  FROM json_to_record($1::text::json) AS (${foundColumns})
  ON CONFLICT DO NOTHING RETURNING ${logColumns})`
