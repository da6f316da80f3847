import { quoteLiteral } from '../postgres/identifiers.ts'
import type { Parameter } from '../postgres/driver/query.ts'
import type { Progress } from '../../types/index.ts'
import { failedEvent, type LogAccess, type LoggedError, snapshotCondition, withEvent } from './log-access.ts'
import type { LoggedBackup } from './log-row.ts'

/** Identifies one restore of a snapshot: no two restores into the same schema run at the same time. */
export interface RestoreKey { id: string, target: string, startedAt: Date }

/** How many finished restores the row of a snapshot keeps. */
const keptRestores = 20

const keyOf = ({ id, target, startedAt }: RestoreKey): Parameter[] => [id, target, startedAt.toISOString()]

/** Whether a record, as SQL of type jsonb, is that of the restore with the parameters of keyOf(). */
const isOurs = (record: string): string => `${record} ->> 'schema' = $2::text AND ${record} ->> 'startedAt' = $3::text`

/** Sets the record of this restore, and leaves the others. @param changed SQL that makes it from `record` */
const withRecord = (changed: string): string => `restores = (SELECT coalesce(jsonb_agg(
    CASE WHEN ${isOurs('record')} THEN ${changed} ELSE record END ORDER BY place), '[]')
  FROM jsonb_array_elements(restores) WITH ORDINALITY AS records (record, place))`

/** The restore is in the log, and has not ended. */
const stillRuns = `restores @> jsonb_build_array(jsonb_build_object(
  'schema', $2::text, 'startedAt', $3::text, 'status', 'running'))`

/** Records the end of a restore that failed. After the parameters of keyOf(): message, time and code of the error. */
export const failedRestore = (table: string): string => `WITH q AS (UPDATE ${table} SET
    ${withRecord(`record - 'progress' || jsonb_build_object(
      'status', 'failed', 'error', $4::text, 'finishedAt', $5::text, 'errorCode', $6::text)`)},
    ${withEvent(`jsonb_build_object('schema', $2::text) || ${failedEvent('restore:failed', '$6', '$4')}`)}
  WHERE id = $1::text::uuid AND ${stillRuns} RETURNING id)`

/** The restores of a snapshot, in the snapshot's own row. */
export function restoreRecords ({ table, now, query, change, changeAtOnce, toStorable, toStorableJson }: LogAccess) {
  return {
    /** Undefined when the snapshot no longer exists. */
    async beginRestore (key: RestoreKey, by: string | null): Promise<LoggedBackup | undefined> {
      const [begun] = await change(`restores = jsonb_build_array(jsonb_build_object('status', 'running',
          'schema', $2::text, 'startedAt', $3::text, 'finishedAt', NULL, 'by', $4::text, 'preRestoreId', NULL,
          'error', NULL, 'errorCode', NULL)) || (SELECT coalesce(jsonb_agg(record ORDER BY place), '[]')
            FROM jsonb_array_elements(restores) WITH ORDINALITY AS records (record, place)
            WHERE place < ${keptRestores} OR record ->> 'status' = 'running'),
        ${withEvent("jsonb_build_object('name', 'restore:started', 'schema', $2::text)")}`,
      `id = $1::text::uuid AND ${snapshotCondition}`, [...keyOf(key), await toStorable(by)])
      return begun
    },

    async recordPreRestore (key: RestoreKey, preRestoreId: string): Promise<void> {
      await change(withRecord("record || jsonb_build_object('preRestoreId', $4::text)"),
        'id = $1::text::uuid', [...keyOf(key), preRestoreId])
    },

    async failRestore (key: RestoreKey, { code, message }: LoggedError): Promise<void> {
      await query(failedRestore(table), [...keyOf(key), await toStorable(message), now().toISOString(), code])
    },

    async setRestoreProgress ({ id, target, startedAt }: RestoreKey, progress: Progress): Promise<void> {
      const literals = [id, target, startedAt.toISOString(), await toStorableJson(progress)].map(quoteLiteral)
      const withLiterals = (text: string): string => text.replace(/\$([1-4])/g, (_, n) => String(literals[n - 1]))
      await changeAtOnce(
        withLiterals(withRecord("record || jsonb_build_object('progress', $4::jsonb)")),
        withLiterals(`id = $1::text::uuid AND ${stillRuns}`))
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
  // Once, because restored_at and the record must have the same time
  const finishedAt = '(SELECT at FROM ended)'
  const isComplete =
    `($6::text::boolean AND EXISTS (SELECT FROM ${table} WHERE id = $1::text::uuid AND NOT partial))`
  const marked = markedSuspect('$7::text::jsonb', isComplete)
  return `WITH ended AS MATERIALIZED (
    SELECT $3::text::timestamptz + (clock_timestamp() - transaction_timestamp()) AS at),
  locked AS MATERIALIZED (SELECT id FROM ${table} WHERE id = $1::text::uuid OR (schema = $2::text
    AND (adopted OR suspect IS NOT NULL OR id = $5::text::uuid)) ORDER BY ordinal DESC, id DESC FOR UPDATE),
  q AS (UPDATE ${table} SET status = 'restored', restored_at = ${finishedAt},
    restored_by = $4::text, restored_into = $2::text,
    adopted = adopted AND (schema <> $2::text OR NOT ${isComplete}),
    suspect = CASE WHEN schema = $2::text THEN ${marked} ELSE suspect END,
    ${withRecord(`record - 'progress' || jsonb_build_object('status', 'completed',
      'finishedAt', to_char(${finishedAt}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`)},
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
