import type { CountedSnapshot } from '../retention/guarded-snapshot.ts'
import type { ListQuery } from '../../types/index.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { snapshotCondition, inList, fullCondition, type LogAccess } from './log-access.ts'
import { isBeingRestored, type LoggedBackup } from './log-row.ts'

export interface LogPage { backups: LoggedBackup[], next: string | null }

/** A condition on a parameter: the row is of one of these schemas, or of any when the parameter is null. */
const ofVisible = (parameter: string): string => `(${parameter}::text IS NULL OR schema ${inList(parameter)})`
/** For callers who may not see a schema, a snapshot that was restored only into it has the status completed. */
const visibleStatus = (parameter: string): string =>
  `(CASE WHEN status = 'restored' AND ${parameter}::text IS NOT NULL
    AND (restored_into ${inList(parameter)}) IS NOT TRUE AND NOT EXISTS (
      SELECT FROM jsonb_to_recordset(restores) AS r (status text, schema text)
      WHERE r.status = 'completed' AND r.schema ${inList(parameter)}) THEN 'completed' ELSE status END)`
/** As a number, since timestamptz does not read every year that JavaScript has. */
const instant = (parameter: string): string => `to_timestamp(${parameter}::text::float8)`
const epochOf = (time: string | undefined): string | null => time === undefined ? null : String(Date.parse(time) / 1000)
const visibleText = (visible: string[] | null): string | null => visible === null ? null : JSON.stringify(visible)

const cursorAfter = ({ ordinal, backup }: LoggedBackup): string =>
  encodeCursor({ ordinal: String(ordinal), id: backup.id })

/**
 * Reads the log. Leaves out rows whose removal has begun. `visible` are the schemas that the caller may see; null for
 * all.
 */
export const logReader = (access: LogAccess) => ({ ...backupReader(access), ...guardReader(access) })

function backupReader ({ table, query: run, select, possibleNames }: LogAccess) {
  return {
    async get (id: string): Promise<LoggedBackup | undefined> {
      const [backup] = await select('id = $1::text::uuid AND removed_at IS NULL', [id])
      return backup
    },

    /** Newest first, in the order of insertion. */
    async list (query: ListQuery, visible: string[] | null): Promise<LogPage> {
      const { schema: ofSchema = null, status = null, trigger = null, limit = 100, before, since, until } = query
      const cursor = before === undefined ? { ordinal: null, id: null } : decodeCursor(before)
      if (ofSchema !== null && (await possibleNames([ofSchema])).length === 0) return { backups: [], next: null }
      const backups = await select(`removed_at IS NULL AND ($1::text IS NULL OR schema = $1::text)
        AND ($2::text IS NULL OR ${visibleStatus('$6')} = $2::text) AND ($3::text IS NULL OR trigger = $3::text)
        AND ($4::text IS NULL OR (ordinal, id) < ($4::text::int8, $5::text::uuid)) AND ${ofVisible('$6')}
        AND ($7::text IS NULL OR started_at >= ${instant('$7')})
        AND ($8::text IS NULL OR started_at < ${instant('$8')})`,
      [ofSchema, status, trigger, cursor.ordinal, cursor.id, visibleText(visible), epochOf(since), epochOf(until)],
      `ORDER BY ordinal DESC, id DESC LIMIT ${limit + 1}`)
      const page = backups.slice(0, limit)
      const last = page.at(-1)
      return { backups: page, next: backups.length > limit && last !== undefined ? cursorAfter(last) : null }
    },

    /** Backups that run, and snapshots that are being restored. */
    async running (): Promise<LoggedBackup[]> {
      return await select(`removed_at IS NULL AND (status = 'running' OR ${isBeingRestored})`, [],
        'ORDER BY ordinal DESC')
    },

    /** The size of the newest full snapshot of a schema; null without one. */
    async lastFullSize (ofSchema: string): Promise<{ rows: number, bytes: number } | null> {
      const [last] = await run<{ rows: number, bytes: number }>(`SELECT row_count AS rows, size_bytes AS bytes
        FROM ${table} WHERE schema = $1::text AND ${snapshotCondition} AND ${fullCondition}
        ORDER BY ordinal DESC LIMIT 1`, [ofSchema])
      return last ?? null
    },

    /** Completed snapshots of a schema. */
    async snapshots (ofSchema: string): Promise<LoggedBackup[]> {
      return await select(`schema = $1::text AND ${snapshotCondition}`, [ofSchema])
    }
  }
}

/** What the guard compares. */
function guardReader ({ table, query, select }: LogAccess) {
  return {
    /**
     * The last `window` full snapshots of a schema that are not suspect, and the restores since the first of them, with
     * the row counts of their tables. No other call reads these columns, because they may be long.
     */
    async counted (ofSchema: string, window: number): Promise<CountedSnapshot[]> {
      const isBaseline = `${fullCondition} AND (suspect IS NULL OR accepted) AND row_counts IS NOT NULL`
      const ofThis = `schema = $1::text AND ${snapshotCondition}`
      return await query<CountedSnapshot>(`SELECT ordinal, trigger, partial, suspect, accepted,
          row_counts AS "rowCounts", restored_rows AS "restoredRows" FROM ${table}
        WHERE ${ofThis} AND ((${isBaseline}) OR restored_rows IS NOT NULL)
          AND ordinal >= coalesce((SELECT ordinal FROM ${table} WHERE ${ofThis} AND ${isBaseline}
            ORDER BY ordinal DESC OFFSET $2::text::int - 1 LIMIT 1), -9223372036854775808)`,
      [ofSchema, String(window)])
    },

    /**
     * From which holds are computed: all completed snapshots of each schema that has an adopted snapshot, or a suspect
     * one that is not accepted.
     * @param ofSchemas null for any schema
     */
    async snapshotsForHolds (ofSchemas: string[] | null): Promise<LoggedBackup[]> {
      return await select(`${snapshotCondition} AND schema IN (SELECT schema FROM ${table}
        WHERE ${ofVisible('$1')} AND ${snapshotCondition}
          AND (adopted OR (suspect IS NOT NULL AND NOT accepted)))`, [visibleText(ofSchemas)])
    },

    /** Every schema that has a row, or into which a snapshot was restored. */
    async schemas (): Promise<string[]> {
      return (await query<{ schema: string }>(`SELECT schema FROM ${table}
        UNION SELECT restored_into FROM ${table} WHERE restored_into IS NOT NULL
        UNION SELECT r.schema FROM ${table}, jsonb_to_recordset(restores) AS r (status text, schema text)
          WHERE r.status = 'completed'`)).map(({ schema: name }) => name)
    }
  }
}
