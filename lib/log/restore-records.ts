import type { Parameter } from '../postgres/driver/query.ts'
import { failedEvent, type LogAccess, type LoggedError, snapshotCondition, withEvent } from './log-access.ts'
import { type LoggedBackup, restoredInto } from './log-row.ts'

/** Identifies one restore of a snapshot: no two restores into the same schema run at the same time. */
export interface RestoreKey { id: string, target: string, startedAt: Date }

const keyOf = ({ id, target, startedAt }: RestoreKey): Parameter[] => [id, target, startedAt.toISOString()]
const isOurs = "restore_schema = $2::text AND restore ->> 'startedAt' = $3::text"

/** The newest restore of a snapshot, in the snapshot's own row. */
export function restoreRecords ({ table, now, change, toStorable }: LogAccess) {
  return {
    /** Undefined when the snapshot no longer exists. */
    async beginRestore (key: RestoreKey, by: string | null): Promise<LoggedBackup | undefined> {
      const [begun] = await change(`restore_schema = $2::text, progress = NULL, restore = jsonb_build_object(
        'status', 'running', 'startedAt', $3::text, 'finishedAt', NULL, 'by', $4::text, 'preRestoreId', NULL,
        'error', NULL, 'restoredInto', ${restoredInto}),
        ${withEvent("jsonb_build_object('name', 'restore:started', 'schema', $2::text)")}`,
      `id = $1::text::uuid AND ${snapshotCondition}`, [...keyOf(key), await toStorable(by)])
      return begun
    },

    async recordPreRestore (key: RestoreKey, preRestoreId: string): Promise<void> {
      await change("restore = restore || jsonb_build_object('preRestoreId', $4::text)",
        `id = $1::text::uuid AND ${isOurs}`, [...keyOf(key), preRestoreId])
    },

    async failRestore (key: RestoreKey, { code, message }: LoggedError): Promise<void> {
      await change(`progress = NULL, restore = restore ||
          jsonb_build_object('status', 'failed', 'error', $4::text, 'finishedAt', $5::text),
        ${withEvent(`jsonb_build_object('schema', $2::text) || ${failedEvent('restore:failed', '$6', '$4')}`)}`,
      `id = $1::text::uuid AND ${isOurs} AND restore ->> 'status' = 'running'`,
      [...keyOf(key), await toStorable(message), now().toISOString(), code])
    },

    /**
     * The statement that a restore runs last in its transaction, so that the log always corresponds to the data. It is
     * created when the restore begins, so it adds the time that has passed in the transaction to that time. The restore
     * appends two parameters, as JSON: the row counts of the replaced tables, which become the baseline of later
     * snapshots, and, in ASCII, the parts of its result that are known then, for listeners on other replicas. The
     * statement marks the replaced tables of suspect rows. A restore of the complete schema, from a snapshot that
     * leaves no table out, also clears `adopted` of the rows of that schema.
     */
    async restoreCompletion (
      key: RestoreKey, by: string | null, preRestoreId: string, ofAllTables: boolean
    ): Promise<{ text: string, parameters: Parameter[] }> {
      return {
        text: completionQuery(table),
        parameters: [...keyOf(key), await toStorable(by), preRestoreId, String(ofAllTables)]
      }
    }
  }
}

/**
 * `$1` to `$3` are those of keyOf(), `$4` is `by`, `$5` the pre_restore snapshot, `$6` whether all tables are restored,
 * `$7` the row counts, `$8` the result. The result stays text: it contains names of the file, which the encoding of the
 * database may lack, and nothing in it may fail the restore.
 */
function completionQuery (table: string): string {
  const finishedAt = '$3::text::timestamptz + (clock_timestamp() - transaction_timestamp())'
  const isComplete =
    `($6::text::boolean AND EXISTS (SELECT FROM ${table} WHERE id = $1::text::uuid AND NOT partial))`
  const marked = markedSuspect('$7::text::jsonb', isComplete)
  return `WITH locked AS MATERIALIZED (SELECT id FROM ${table} WHERE id = $1::text::uuid OR (schema = $2::text
    AND (adopted OR suspect IS NOT NULL OR id = $5::text::uuid)) ORDER BY ordinal DESC, id DESC FOR UPDATE),
  q AS (UPDATE ${table} SET status = 'restored', restored_at = ${finishedAt},
    restored_by = $4::text, progress = NULL,
    adopted = adopted AND (schema <> $2::text OR NOT ${isComplete}),
    suspect = CASE WHEN schema = $2::text THEN ${marked} ELSE suspect END,
    restore = (CASE WHEN ${isOurs}
      THEN restore || jsonb_build_object('status', 'completed',
        'finishedAt', to_char(${finishedAt}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
      ELSE restore END) || jsonb_build_object('restoredInto', $2::text),
    ${withEvent(`jsonb_build_object('name', 'restore:completed', 'schema', $2::text, 'preRestoreId', $5::text,
      'durationMs', greatest(0, round(extract(epoch FROM ${finishedAt} - $3::text::timestamptz) * 1000)),
      'result', $8::text)`)}
    WHERE id = $1::text::uuid AND id IN (SELECT id FROM locked) RETURNING id),
  updated AS (UPDATE ${table} SET suspect = ${marked}, adopted = adopted AND NOT ${isComplete},
    restored_rows = CASE WHEN id = $5::text::uuid THEN $7::text::jsonb ELSE restored_rows END
    WHERE id IN (SELECT id FROM locked) AND id <> $1::text::uuid)`
}

/**
 * The suspect tables of a row, with a mark on those that a restore has replaced. The entry for all tables together gets
 * it only by a restore of the complete schema.
 * @param rows JSON with the replaced tables as keys
 * @param isComplete whether the restore was of the complete schema
 */
const markedSuspect = (rows: string, isComplete: string): string => `(SELECT jsonb_agg(
    CASE WHEN ${rows} -> (lost ->> 'table') IS NOT NULL OR (lost ->> 'table' IS NULL AND ${isComplete})
      THEN lost || '{"replaced": true}' ELSE lost END ORDER BY place)
  FROM jsonb_array_elements(suspect) WITH ORDINALITY AS tables (lost, place))`
