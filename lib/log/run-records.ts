import { asciiJson } from '../postgres/ascii.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'
import type { Backup, BackupTrigger, Origin, Progress, SuspectTable } from '../../types/index.ts'
import { type LoggedBackup, logColumns, type LogRow, toLoggedBackup } from './log-row.ts'
import {
  endOfRun, failedEvent, failedWithFile, type LogAccess, type LoggedError, newEvent, withEvent
} from './log-access.ts'

export interface NewRun {
  id: string
  schema: string
  filename: string
  trigger: BackupTrigger
  compression: Backup['compression']
  createdBy: string | null
  cron: string | null
  note: string | null
  startedAt: Date
  /** The slot of the schedule for which the run starts. */
  slot: Date | null
  /** The call itself leaves tables out. */
  partial: boolean
  /** Of an import. */
  origin?: Origin
}

export interface CompletedRun {
  sizeBytes: number
  storedBytes: number
  tableCount: number
  rowCount: number
  checksum: string
  warnings: string[]
  /** Null when the guard must not compare them. */
  rowCounts: Record<string, number | null> | null
  suspect: SuspectTable[] | null
}

/**
 * A slot of the schedule that was claimed for a schema. While `running`, it is not known whether the run will succeed.
 */
export interface Claim { slot: Date, running: boolean }

const stillRuns = "id = $1::text::uuid AND status = 'running'"

const textOrNull = (value: object | null): string | null => value && JSON.stringify(value)

/**
 * The states of a run: running -> completed | failed. Times are those of the service's clock, so that they are in the
 * order of the events.
 */
export const runRecords = (access: LogAccess) => ({ ...stateChanges(access), ...fileOfRun(access), ...claims(access) })

function stateChanges ({ table, now, query, change, changeAtOnce, toStorable, toStorableJson }: LogAccess) {
  /** `$2` is the time. */
  const finish = endOfRun('$2')

  return {
    /**
     * Undefined when another run has claimed the slot or the file name. With an error, inserts a run that failed before
     * it began.
     */
    async insert (run: NewRun, error: LoggedError | null = null): Promise<LoggedBackup | undefined> {
      const [row] = await query<LogRow>(insertQuery(table), [
        run.id, run.schema, run.filename, run.trigger, await toStorable(run.createdBy), run.cron,
        await toStorable(run.note), run.startedAt.toISOString(), run.slot?.toISOString() ?? null,
        await toStorable(error?.message ?? null), now().toISOString(), String(run.partial),
        run.origin === undefined ? null : asciiJson(run.origin), error?.code ?? null, run.compression
      ])
      return row === undefined ? undefined : toLoggedBackup(row)
    },

    /** Undefined when the log no longer has the run as running: another replica has marked it as failed. */
    async complete (id: string, run: CompletedRun): Promise<LoggedBackup | undefined> {
      const [completed] = await change(`status = 'completed', size_bytes = $3::text::int8, table_count = $4::text::int,
          row_count = $5::text::int8, checksum = $6::text, warnings = $7::text::jsonb, row_counts = $8::text::jsonb,
          suspect = $9::text::jsonb, stored_bytes = $10::text::int8, ${finish},
          ${withEvent("jsonb_build_object('name', 'backup:completed')")}`,
      stillRuns, [
        id, now().toISOString(), String(run.sizeBytes), String(run.tableCount), String(run.rowCount), run.checksum,
        JSON.stringify(run.warnings), textOrNull(run.rowCounts), textOrNull(run.suspect),
        String(run.storedBytes)
      ])
      return completed
    },

    /**
     * Releases the slot when `releaseSlot` is true: then another replica, or this one after a restart, may run for it.
     * A run that was marked as failed while it was still running gets its actual error. Undefined when the run is
     * completed, or its row no longer exists.
     */
    async fail (id: string, error: LoggedError, releaseSlot: boolean): Promise<LoggedBackup | undefined> {
      const set = `status = 'failed', error = $3::text, error_code = $4::text,
        ${finish}${releaseSlot ? ', slot = NULL' : ''},
        ${withEvent(failedEvent('backup:failed', '$4', '$3'))}`
      const [failed] = await change(set, "id = $1::text::uuid AND status IN ('running', 'failed')",
        [id, now().toISOString(), await toStorable(error.message), error.code])
      return failed
    },

    async setProgress (id: string, progress: Progress): Promise<void> {
      await changeAtOnce(`progress = ${quoteLiteral(await toStorableJson(progress))}::jsonb`,
        `id = ${quoteLiteral(id)}::uuid AND status = 'running'`)
    }
  }
}

/** Whether the storage may contain the file of a run. */
function fileOfRun ({ select, change }: LogAccess) {
  return {
    /** Records that from now on the storage may contain the file. Undefined as for complete(). */
    async markFilePossible (id: string): Promise<LoggedBackup | undefined> {
      const [expecting] = await change('has_file = true', stillRuns, [id])
      return expecting
    },

    /** Records that the storage does not contain the file. */
    async markFileAbsent (id: string): Promise<void> {
      await change('has_file = false', 'id = $1::text::uuid', [id])
    },

    /** Failed runs whose file the storage may still contain. */
    async failedWithFile (): Promise<LoggedBackup[]> {
      return await select(failedWithFile)
    }
  }
}

function claims ({ table, query }: LogAccess) {
  return {
    /**
     * The newest claim of a slot up to `slot`: a replica whose clock is fast may have claimed later ones. Null when no
     * scheduled run ever began; the Unix epoch when all of them released their slots.
     */
    async newestClaim (ofSchema: string, slot: Date): Promise<Claim | null> {
      const [row] = await query<{ slot: string | null, running: boolean }>(`SELECT slot, status = 'running' AS running
        FROM ${table} WHERE schema = $1::text AND trigger = 'scheduled'
          AND (slot <= $2::text::timestamptz OR (slot IS NULL AND status = 'failed'))
        ORDER BY slot DESC NULLS LAST LIMIT 1`, [ofSchema, slot.toISOString()])
      return row === undefined ? null : { slot: new Date(row.slot ?? 0), running: row.running }
    }
  }
}

/**
 * `$10` is the error, or null; `$11` the end of a run with an error, `$13` the origin, `$14` the error's code,
 * and `$15` the compression.
 */
const insertQuery = (table: string): string => `WITH q AS (
  INSERT INTO ${table} (id, schema, filename, trigger, created_by, cron, note, started_at, slot, partial, origin,
    compression, status, error, error_code, finished_at, duration_ms, changed_in, events)
  SELECT $1::text::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text::timestamptz,
    $9::text::timestamptz, $12::text::boolean, $13::text::json, $15::text,
    CASE WHEN $10::text IS NULL THEN 'running' ELSE 'failed' END, $10::text, $14::text,
    CASE WHEN $10::text IS NOT NULL THEN greatest($8::text::timestamptz, $11::text::timestamptz) END,
    CASE WHEN $10::text IS NOT NULL
      THEN greatest(0, round(extract(epoch FROM $11::text::timestamptz - $8::text::timestamptz) * 1000)) END,
    pg_current_xact_id(), jsonb_build_array(CASE WHEN $10::text IS NULL
      THEN ${newEvent("jsonb_build_object('name', 'backup:started')")}
      ELSE ${newEvent(failedEvent('backup:failed', '$14', '$10'))} END)
  ON CONFLICT DO NOTHING RETURNING ${logColumns})`
