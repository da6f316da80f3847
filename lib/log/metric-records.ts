import type { RunCounter, SchemaMetrics } from '../../types/index.ts'
import { kindOfRun } from './carry-over.ts'
import { storedBytes } from './log-row.ts'
import { snapshotCondition, type LogAccess } from './log-access.ts'

/** What the log knows of a schema, without its suspects. */
export type LoggedMetrics = Omit<SchemaMetrics, 'suspects'>

/** Runs that the schedule or a caller started. */
const isRun = "trigger IN ('manual', 'scheduled')"

/** What metrics are made of. */
export function metricRecords ({ table, query }: LogAccess) {
  return {
    /** Ordered by schema. */
    async schemaMetrics (): Promise<LoggedMetrics[]> {
      const rows = await query<LoggedMetrics>(`SELECT schema, success.finished_at AS "lastSuccessAt",
          success.duration_ms AS "lastDurationMs", success.size_bytes AS "lastSizeBytes",
          success.row_count AS "lastRows", "lastRunSucceeded", "lastVerifiedAt", "storedBytes"
        FROM (SELECT schema,
            (array_agg(status <> 'failed' ORDER BY ordinal DESC, id DESC)
              FILTER (WHERE ${isRun} AND status <> 'running' AND removed_at IS NULL))[1] AS "lastRunSucceeded",
            max(verified_at) FILTER (WHERE removed_at IS NULL) AS "lastVerifiedAt",
            coalesce(sum(${storedBytes}) FILTER (WHERE ${snapshotCondition} AND has_file), 0) AS "storedBytes"
          FROM ${table} GROUP BY schema) schemas
        LEFT JOIN (SELECT DISTINCT ON (schema) schema, finished_at, duration_ms, size_bytes, row_count FROM ${table}
          WHERE ${isRun} AND ${snapshotCondition} ORDER BY schema, ordinal DESC, id DESC) success USING (schema)
        ORDER BY schema COLLATE "C"`)
      const iso = (time: string | null): string | null => time === null ? null : new Date(time).toISOString()
      return rows.map((row) =>
        ({ ...row, lastSuccessAt: iso(row.lastSuccessAt), lastVerifiedAt: iso(row.lastVerifiedAt) }))
    },

    /** All runs that have ever finished, also those whose rows were deleted. */
    async runCounters (): Promise<RunCounter[]> {
      return await query<RunCounter>(`SELECT schema,
          split_part(kind, ' ', 1) AS trigger, split_part(kind, ' ', 2) AS result, sum(runs) AS count
        FROM (SELECT schema, ${kindOfRun} AS kind, 1 AS runs FROM ${table} WHERE counted AND status <> 'running'
          UNION ALL SELECT schema, kind, runs::int8 FROM ${table}, jsonb_each_text(carried) AS c (kind, runs)) every_run
        GROUP BY schema, kind ORDER BY schema COLLATE "C", kind COLLATE "C"`)
    }
  }
}
