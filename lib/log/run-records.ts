import type { BackupTrigger, Progress, SuspectTable } from '../../types/index.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'
import { endOfRun, type LogAccess } from './log-access.ts'

export interface NewRun {
  id: string
  schema: string
  filename: string
  trigger: BackupTrigger
  createdBy: string | null
  cron: string | null
  note: string | null
  startedAt: Date
  /** The slot that a scheduled run serves. */
  slot: Date | null
  /** The call itself leaves tables out. */
  partial: boolean
}

export interface CompletedRun {
  sizeBytes: number
  tableCount: number
  rowCount: number
  checksum: string
  warnings: string[]
  /** Null: not to be compared. */
  rowCounts: Record<string, number | null> | null
  suspect: SuspectTable[] | null
}

/** A slot of the schedule that was claimed for a schema. `running`: whether it is served is not decided yet. */
export interface Claim { slot: Date, running: boolean }

const stillRuns = "id = $1::text::uuid AND status = 'running'"

/** The life of a run: running -> completed | failed. Times are those of the service, so that none is before the one it follows. */
export function runRecords ({ table, now, query, select, change }: LogAccess) {
  /** `$2` is the time. */
  const finish = endOfRun('$2')

  return {
    /** Undefined when another run has claimed the slot or the file's name. With an error it is a run that failed before it could begin. */
    async insert (run: NewRun, error: string | null = null): Promise<LoggedBackup | undefined> {
      const [row] = await query<LogRow>(`WITH q AS (
        INSERT INTO ${table} (id, schema, filename, trigger, created_by, cron, note, started_at, slot, partial, status, error, finished_at, duration_ms)
        SELECT $1::text::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text::timestamptz, $9::text::timestamptz, $12::text::boolean,
          CASE WHEN $10::text IS NULL THEN 'running' ELSE 'failed' END, $10::text,
          CASE WHEN $10::text IS NOT NULL THEN greatest($8::text::timestamptz, $11::text::timestamptz) END,
          CASE WHEN $10::text IS NOT NULL THEN greatest(0, round(extract(epoch FROM $11::text::timestamptz - $8::text::timestamptz) * 1000)) END
        ON CONFLICT DO NOTHING RETURNING ${logColumns})`,
      [run.id, run.schema, run.filename, run.trigger, run.createdBy, run.cron, run.note, run.startedAt.toISOString(), run.slot?.toISOString() ?? null,
        error, now().toISOString(), String(run.partial)])
      return row === undefined ? undefined : toLoggedBackup(row)
    },

    /** From now on the storage may hold its file. Undefined when the run no longer counts as running: somebody took it for dead. */
    async expectFile (id: string): Promise<LoggedBackup | undefined> {
      const [expecting] = await change('has_file = true', stillRuns, [id])
      return expecting
    },

    /** Undefined as for expectFile(). */
    async complete (id: string, { sizeBytes, tableCount, rowCount, checksum, warnings, rowCounts, suspect }: CompletedRun): Promise<LoggedBackup | undefined> {
      const [completed] = await change(`status = 'completed', size_bytes = $3::text::int8, table_count = $4::text::int, row_count = $5::text::int8,
        checksum = $6::text, warnings = $7::text::jsonb, row_counts = $8::text::jsonb, suspect = $9::text::jsonb, ${finish}`,
      stillRuns, [id, now().toISOString(), String(sizeBytes), String(tableCount), String(rowCount), checksum, JSON.stringify(warnings), rowCounts && JSON.stringify(rowCounts), suspect && JSON.stringify(suspect)])
      return completed
    },

    /**
     * Gives the slot back when `releaseSlot`: then another replica, or this one after a restart, may serve it. What was taken for dead gets
     * its true reason. Undefined when it neither ran nor had failed: it is completed, or gone.
     */
    async fail (id: string, error: string, releaseSlot: boolean): Promise<LoggedBackup | undefined> {
      const [failed] = await change(`status = 'failed', error = $3::text, ${finish}${releaseSlot ? ', slot = NULL' : ''}`,
        "id = $1::text::uuid AND status IN ('running', 'failed')", [id, now().toISOString(), error])
      return failed
    },

    async setProgress (id: string, progress: Progress): Promise<void> {
      await change('progress = $2::text::jsonb', "id = $1::text::uuid AND (status = 'running' OR restore ->> 'status' = 'running')", [id, JSON.stringify(progress)])
    },

    /** The file is known not to be in the storage any more. */
    async forgetFile (id: string): Promise<void> {
      await change('has_file = false', 'id = $1::text::uuid', [id])
    },

    /** Failed runs whose file may still be there. */
    async strays (): Promise<LoggedBackup[]> {
      return await select("status = 'failed' AND has_file")
    },

    /**
     * Of the slots until `slot`: a replica whose clock is ahead may have claimed later ones. Null when no scheduled run ever began; the
     * Unix epoch when all of them gave their slots back.
     */
    async newestClaim (ofSchema: string, slot: Date): Promise<Claim | null> {
      const [row] = await query<{ slot: string | null, running: boolean }>(`SELECT slot, status = 'running' AS running FROM ${table}
        WHERE schema = $1::text AND trigger = 'scheduled' AND (slot <= $2::text::timestamptz OR (slot IS NULL AND status = 'failed')) ORDER BY slot DESC NULLS LAST LIMIT 1`, [ofSchema, slot.toISOString()])
      return row === undefined ? null : { slot: new Date(row.slot ?? 0), running: row.running }
    }
  }
}
