import { snapshotCondition, fullCondition, inList, type LogAccess } from './log-access.ts'
import { type LoggedBackup, storedBytes } from './log-row.ts'

/** A completed backup, as the health checks need it. */
export interface LoggedFile {
  id: string
  schema: string
  filename: string
  storedBytes: number
  startedAt: string
  durationMs: number
  /** Whether the storage should contain it: false after rescan() has reported its loss. */
  isExpected: boolean
  /** A complete snapshot of the schema, taken by this service. */
  isFull: boolean
  /** Suspect and not accepted. */
  isSuspect: boolean
  /** When the last check of the file found it damaged; null if it did not. ISO 8601. */
  damagedAt: string | null
}

/** The time since which the runs of a schema fail, and the error of the last one. */
export interface FailingSchema { id: string, schema: string, since: string, error: string }

/** A file that should be deleted, and the time since which it should. */
export interface UndeletableFile { id: string, schema: string, filename: string, since: string }

/** Which schemas newestPage() reads. */
export interface NewestQuery {
  schema?: string | undefined
  /** The last schema of the page before. */
  after?: string | undefined
  limit: number
  /** Null for all. */
  visible: string[] | null
}

/** Queries for the health of the service. */
export const healthRecords = (access: LogAccess) => ({ ...fileRecords(access), ...schemaRecords(access) })

/** Files that the storage should contain, and those that it should not. */
function fileRecords ({ table, query, change, possibleNames }: LogAccess) {
  return {
    /** Names of the files that the storage should contain, newest first. */
    async expectedFiles (limit?: number): Promise<string[]> {
      const rows = await query<{ filename: string }>(`SELECT filename FROM ${table}
        WHERE ${snapshotCondition} AND has_file ORDER BY ordinal DESC, id DESC LIMIT ${limit ?? 'ALL'}`)
      return rows.map(({ filename }) => filename)
    },

    /**
     * Records that the storage is not expected to contain the files of the backups `lost`, and is expected to contain
     * those named `stored`.
     */
    async updateExpectedFiles (lost: string[], stored: string[]): Promise<void> {
      await change('has_file = false', `id::text ${inList('$1')} AND ${snapshotCondition}`, [JSON.stringify(lost)])
      await change('has_file = true', `filename ${inList('$1')} AND ${snapshotCondition} AND NOT has_file`,
        [JSON.stringify(stored)])
    },

    /** Those of these names that no row has as its file name, with any status. */
    async unknownFiles (names: string[]): Promise<string[]> {
      const possible = await possibleNames(names)
      const rows = await query<{ name: string }>(`SELECT name
        FROM pg_catalog.json_array_elements_text($1::text::json) AS name
        WHERE NOT EXISTS (SELECT FROM ${table} WHERE filename = name) ORDER BY name COLLATE "C"`,
      [JSON.stringify(possible)])
      const isPossible = new Set(possible)
      return [...rows.map(({ name }) => name), ...names.filter((name) => !isPossible.has(name))]
    },

    /** In the order of insertion. */
    async loggedFiles (): Promise<LoggedFile[]> {
      return await query<LoggedFile>(`SELECT id, schema, filename, ${storedBytes} AS "storedBytes",
        started_at AS "startedAt", coalesce(duration_ms, 0) AS "durationMs", has_file AS "isExpected",
        ${fullCondition} AS "isFull",
        suspect IS NOT NULL AND NOT accepted AS "isSuspect",
        CASE WHEN verification -> 'ok' = 'false' THEN verification ->> 'at' END AS "damagedAt"
        FROM ${table} WHERE ${snapshotCondition} ORDER BY ordinal, id`)
    },

    /** Files whose removal began more than a minute ago. */
    async undeletableFiles (): Promise<UndeletableFile[]> {
      return await query<UndeletableFile>(`SELECT id, schema, filename, coalesce(removed_at, finished_at) AS since
        FROM ${table} WHERE has_file AND (removed_at IS NOT NULL OR status = 'failed')
          AND coalesce(removed_at, finished_at) < clock_timestamp() - interval '1 minute' ORDER BY since`)
    }
  }
}

/** The last runs of the schemas. */
function schemaRecords ({ table, query, select, toStorable, possibleNames }: LogAccess) {
  return {
    /** The database's clock. */
    async databaseTime (): Promise<Date> {
      const rows = await query<{ time: string }>('SELECT clock_timestamp() AS time')
      return new Date(rows.map(({ time }) => time).join())
    },

    /** The newest completed backup of each schema, ordered by schema. */
    async newestPage ({ schema: ofSchema, after, limit, visible }: NewestQuery): Promise<LoggedBackup[]> {
      if (ofSchema !== undefined && (await possibleNames([ofSchema])).length === 0) return []
      return await select(`removed_at IS NULL AND id IN (
        SELECT DISTINCT ON (schema) id FROM ${table} WHERE ${snapshotCondition}
          AND ($1::text IS NULL OR schema = $1::text) AND ($2::text IS NULL OR schema COLLATE "C" > $2::text)
          AND ($3::text IS NULL OR schema ${inList('$3')}) ORDER BY schema, ordinal DESC, id DESC)`,
      [ofSchema ?? null, await toStorable(after ?? null), visible && JSON.stringify(visible)],
      `ORDER BY schema COLLATE "C" LIMIT ${limit}`)
    },

    /** Those of these backups that still exist. */
    async snapshotsById (ids: string[]): Promise<LoggedBackup[]> {
      return await select(`id::text ${inList('$1')} AND ${snapshotCondition}`, [JSON.stringify(ids)])
    },

    /** Schemas whose last finished run failed. Imports are not runs of a schema. */
    async failingSchemas (): Promise<FailingSchema[]> {
      return await query<FailingSchema>(`SELECT schema, min(started_at) AS since,
          (array_agg(id ORDER BY ordinal DESC))[1] AS id,
          (array_agg(coalesce(error, '') ORDER BY ordinal DESC))[1] AS error
        FROM (SELECT *, max(ordinal) FILTER (WHERE status <> 'failed') OVER (PARTITION BY schema) AS succeeded
          FROM ${table} WHERE status <> 'running' AND trigger <> 'import' AND removed_at IS NULL) runs
        WHERE status = 'failed' AND ordinal > coalesce(succeeded, ordinal - 1) GROUP BY schema ORDER BY schema`)
    },

    /** When the first run of each of these schemas started. */
    async firstRuns (schemas: string[]): Promise<Map<string, Date>> {
      const rows = await query<{ schema: string, first: string }>(`SELECT schema, min(started_at) AS first
        FROM ${table} WHERE schema ${inList('$1')} GROUP BY schema`, [JSON.stringify(await possibleNames(schemas))])
      return new Map(rows.map(({ schema, first }) => [schema, new Date(first)]))
    },

    /** Those of these schemas that exist in the database. */
    async existingSchemas (schemas: string[]): Promise<Set<string>> {
      const rows = await query<{ name: string }>(
        `SELECT nspname AS name FROM pg_catalog.pg_namespace WHERE nspname ${inList('$1')}`,
        [JSON.stringify(await possibleNames(schemas))])
      return new Set(rows.map(({ name }) => name))
    }
  }
}
