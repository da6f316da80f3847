import { ArgumentInvalid, LogUnusable } from '../errors.ts'
import type { Sql } from '../postgres/connection.ts'
import { publicDatabaseError, isVanished } from '../postgres/database-error.ts'
import { qualifiedName } from '../postgres/identifiers.ts'
import { retentionKey, schemaKey, tryLock, backupKey, waitForLock } from '../postgres/locks.ts'
import type { Parameter } from '../postgres/query.ts'
import { pinSettings } from '../postgres/settings.ts'
import { inTransaction, type Transaction } from '../postgres/transaction.ts'
import type { Backup, BackupTrigger, ListQuery, Progress } from '../../types/index.ts'
import { logTableName, prepareLogTable } from './log-table.ts'
import { logColumns, type LoggedBackup, type LogRow, toBackup } from './log-row.ts'

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
}

export interface CompletedRun { sizeBytes: number, tableCount: number, rowCount: number, checksum: string }

/** `backup_logs`: the only place that knows its SQL. Every method rejects with an error that can leave the library. */
export type BackupLog = ReturnType<typeof createBackupLog>

const iso = (date: Date | null): string | null => date?.toISOString() ?? null

export function createBackupLog (sql: Sql, schema: string) {
  const table = qualifiedName(schema, logTableName)
  let prepared: Promise<void> | undefined

  /** The first call makes the table; a failed attempt is made again with the next call. */
  async function prepare (): Promise<void> {
    prepared ??= prepareLogTable(sql, schema)
    try {
      await prepared
    } catch (error) {
      prepared = undefined
      throw publicDatabaseError(error)
    }
  }

  /** An explicit READ WRITE transaction under pinned settings: a role may be read-only by default, or have a short lock_timeout. */
  async function transact<T> (work: (tx: Transaction) => Promise<T>): Promise<T> {
    await prepare()
    try {
      return await inTransaction(sql, 'ISOLATION LEVEL READ COMMITTED READ WRITE', async (tx) => {
        await pinSettings(tx)
        return await work(tx)
      })
    } catch (error) {
      if (isVanished(error)) {
        prepared = undefined
        throw new LogUnusable(`${schema}.${logTableName} has vanished or was changed; the next call makes it anew if it is gone`)
      }
      throw publicDatabaseError(error)
    }
  }

  async function query<Row> (text: string, parameters: Parameter[] = []): Promise<Row[]> {
    return await transact(async (tx) => await tx.query<Row>(text, parameters))
  }

  async function change (set: string, where: string, parameters: Parameter[]): Promise<boolean> {
    const rows = await query(`WITH q AS (UPDATE ${table} SET ${set} WHERE ${where} RETURNING id)`, parameters)
    return rows.length > 0
  }

  async function select (where: string, parameters: Parameter[] = [], tail = ''): Promise<LoggedBackup[]> {
    return (await query<LogRow>(`SELECT ${logColumns} FROM ${table} WHERE ${where} ${tail}`, parameters)).map(toBackup)
  }

  const finish = 'finished_at = clock_timestamp(), duration_ms = round(extract(epoch FROM clock_timestamp() - started_at) * 1000), progress = NULL'

  return {
    prepare,

    /** False when another run has claimed the slot. With an error it is a run that failed before it could begin. */
    async insert (run: NewRun, error: string | null = null): Promise<boolean> {
      const rows = await query(`WITH q AS (
        INSERT INTO ${table} (id, schema, filename, trigger, created_by, cron, note, started_at, slot, status, error, finished_at, duration_ms)
        SELECT $1::text::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text::timestamptz, $9::text::timestamptz,
          CASE WHEN $10::text IS NULL THEN 'running' ELSE 'failed' END, $10::text,
          CASE WHEN $10::text IS NOT NULL THEN clock_timestamp() END,
          CASE WHEN $10::text IS NOT NULL THEN greatest(0, round(extract(epoch FROM clock_timestamp() - $8::text::timestamptz) * 1000)) END
        ON CONFLICT (schema, slot) DO NOTHING RETURNING id)`,
      [run.id, run.schema, run.filename, run.trigger, run.createdBy, run.cron, run.note, iso(run.startedAt), iso(run.slot), error])
      return rows.length > 0
    },

    /** False when the run no longer counts as running: somebody took it for dead. */
    async complete (id: string, { sizeBytes, tableCount, rowCount, checksum }: CompletedRun): Promise<boolean> {
      return await change(`status = 'completed', size_bytes = $2::text::int8, table_count = $3::text::int, row_count = $4::text::int8, checksum = $5::text, ${finish}`,
        "id = $1::text::uuid AND status = 'running'", [id, String(sizeBytes), String(tableCount), String(rowCount), checksum])
    },

    /** Gives the slot back when `releaseSlot`: then another replica, or this one after a restart, may serve it. False when it did not run. */
    async fail (id: string, error: string, releaseSlot: boolean): Promise<boolean> {
      return await change(`status = 'failed', error = $2::text, ${finish}${releaseSlot ? ', slot = NULL' : ''}`,
        "id = $1::text::uuid AND status = 'running'", [id, error])
    },

    async setProgress (id: string, progress: Progress): Promise<void> {
      await change('progress = $2::text::jsonb', "id = $1::text::uuid AND (status = 'running' OR restore ->> 'status' = 'running')", [id, JSON.stringify(progress)])
    },

    async get (id: string): Promise<LoggedBackup | undefined> {
      const [backup] = await select('id = $1::text::uuid AND removed_at IS NULL', [id])
      return backup
    },

    /** Newest first. */
    async list ({ schema: ofSchema, status, trigger, limit = 100, before }: ListQuery): Promise<{ backups: LoggedBackup[], next: string | null }> {
      const cursor = before === undefined ? { startedAt: null, id: null } : decodeCursor(before)
      const backups = await select(`removed_at IS NULL
        AND ($1::text IS NULL OR schema = $1::text) AND ($2::text IS NULL OR status = $2::text) AND ($3::text IS NULL OR trigger = $3::text)
        AND ($4::text IS NULL OR (started_at, id) < ($4::text::timestamptz, $5::text::uuid))`,
      [ofSchema ?? null, status ?? null, trigger ?? null, cursor.startedAt, cursor.id], `ORDER BY started_at DESC, id DESC LIMIT ${limit + 1}`)
      const last = backups[limit - 1]
      return { backups: backups.slice(0, limit), next: backups.length > limit && last !== undefined ? encodeCursor(last.backup) : null }
    },

    async update (id: string, { pinned, note }: { pinned?: boolean, note?: string | null }): Promise<boolean> {
      return await change(`pinned = coalesce($2::text::boolean, pinned), note = CASE WHEN $3::text::boolean THEN $4::text ELSE note END`,
        'id = $1::text::uuid AND removed_at IS NULL', [id, pinned === undefined ? null : String(pinned), String(note !== undefined), note ?? null])
    },

    async beginRestore (id: string, target: string, by: string | null, startedAt: Date): Promise<void> {
      await change(`restore_schema = $2::text, progress = NULL, restore = jsonb_build_object('status', 'running', 'startedAt', $3::text, 'finishedAt', NULL, 'by', $4::text, 'preRestoreId', NULL, 'error', NULL)`,
        'id = $1::text::uuid', [id, target, iso(startedAt), by])
    },

    async notePreRestore (id: string, preRestoreId: string): Promise<void> {
      await change(`restore = restore || jsonb_build_object('preRestoreId', $2::text)`, 'id = $1::text::uuid', [id, preRestoreId])
    },

    async failRestore (id: string, error: string): Promise<void> {
      await change(`progress = NULL, restore = restore || jsonb_build_object('status', 'failed', 'error', $2::text, 'finishedAt', ${isoNow})`,
        "id = $1::text::uuid AND restore ->> 'status' = 'running'", [id, error])
    },

    /** The statement that a restore runs last in its own transaction, so that the log tells what the data are. */
    restoreCompletion (id: string, by: string | null): { text: string, parameters: Parameter[] } {
      return {
        text: `WITH q AS (UPDATE ${table} SET status = 'restored', restored_at = clock_timestamp(), restored_by = $2::text, progress = NULL,
          restore = restore || jsonb_build_object('status', 'completed', 'finishedAt', ${isoNow}) WHERE id = $1::text::uuid RETURNING id)`,
        parameters: [id, by]
      }
    },

    async running (): Promise<LoggedBackup[]> {
      return await select("removed_at IS NULL AND (status = 'running' OR restore ->> 'status' = 'running')", [], 'ORDER BY started_at DESC')
    },

    /** The newest completed backup of each schema. */
    async newest (): Promise<LoggedBackup[]> {
      return await select(`removed_at IS NULL AND id IN (
        SELECT DISTINCT ON (schema) id FROM ${table} WHERE status IN ('completed', 'restored') AND removed_at IS NULL ORDER BY schema, started_at DESC, id DESC)`, [], 'ORDER BY schema')
    },

    async bytesHeld (): Promise<number> {
      const [row] = await query<{ bytes: number }>(`SELECT coalesce(sum(size_bytes), 0) AS bytes FROM ${table} WHERE status IN ('completed', 'restored') AND removed_at IS NULL`)
      return row?.bytes ?? 0
    },

    /** Schemas whose newest finished run failed. */
    async failing (): Promise<string[]> {
      const rows = await query<{ schema: string }>(`SELECT schema FROM (
        SELECT DISTINCT ON (schema) schema, status FROM ${table} WHERE status <> 'running' AND removed_at IS NULL ORDER BY schema, started_at DESC, id DESC) newest
        WHERE status = 'failed'`)
      return rows.map(({ schema: name }) => name)
    },

    async schemas (): Promise<string[]> {
      return (await query<{ schema: string }>(`SELECT DISTINCT schema FROM ${table}`)).map(({ schema: name }) => name)
    },

    /** The newest slot of the schedule that was ever claimed for a schema. */
    async newestSlot (ofSchema: string): Promise<Date | null> {
      const [row] = await query<{ slot: string | null }>(`SELECT max(slot) AS slot FROM ${table} WHERE schema = $1::text`, [ofSchema])
      return row?.slot == null ? null : new Date(row.slot)
    },

    /**
     * Marks snapshots of one schema as being removed, in one transaction that no other removal of that schema runs beside: `choose` gets
     * every finished row, and names those to go. One that is in use by a restore, by whichever replica, is left.
     */
    async markRemoved (ofSchema: string, choose: (finished: LoggedBackup[]) => Backup[]): Promise<LoggedBackup[]> {
      return await transact(async (tx) => {
        await waitForLock(tx, retentionKey(ofSchema))
        const finished = (await tx.query<LogRow>(`SELECT ${logColumns} FROM ${table} WHERE schema = $1::text AND status <> 'running' AND removed_at IS NULL`, [ofSchema])).map(toBackup)
        const marked: LoggedBackup[] = []
        for (const { id } of choose(finished)) {
          if (!await tryLock(tx, backupKey(id))) continue
          const rows = await tx.query<LogRow>(`WITH q AS (UPDATE ${table} SET removed_at = clock_timestamp() WHERE id = $1::text::uuid AND removed_at IS NULL RETURNING ${logColumns})`, [id])
          marked.push(...rows.map(toBackup))
        }
        return marked
      })
    },

    async deleteRow (id: string): Promise<void> {
      await query(`WITH q AS (DELETE FROM ${table} WHERE id = $1::text::uuid RETURNING id)`, [id])
    },

    /** Rows whose removal was begun and not ended. */
    async removing (): Promise<LoggedBackup[]> {
      return await select('removed_at IS NOT NULL')
    },

    /**
     * Marks as failed what counts as running, and is not: the lock of its schema is free. Gives the runs whose files are to be removed. Their
     * slots are free again.
     */
    async failDead (reason: string): Promise<LoggedBackup[]> {
      const dead: LoggedBackup[] = []
      for (const ofSchema of await runningSchemas()) {
        dead.push(...await transact(async (tx) => {
          if (!await tryLock(tx, schemaKey(ofSchema))) return []
          await tx.query(`WITH q AS (UPDATE ${table} SET progress = NULL, restore = restore || jsonb_build_object('status', 'failed', 'error', $2::text, 'finishedAt', ${isoNow})
            WHERE restore_schema = $1::text AND restore ->> 'status' = 'running' RETURNING id)`, [ofSchema, reason])
          return (await tx.query<LogRow>(`WITH q AS (UPDATE ${table} SET status = 'failed', error = $2::text, slot = NULL, ${finish}
            WHERE schema = $1::text AND status = 'running' RETURNING ${logColumns})`, [ofSchema, reason])).map(toBackup)
        }))
      }
      return dead
    },

    /** Those of `ids` that are in the log and don't run. */
    async settled (ids: string[]): Promise<string[]> {
      const rows = await query<{ id: string }>(`SELECT id FROM ${table} WHERE id = ANY ($1::text::uuid[]) AND status <> 'running'`, [`{${ids.join(',')}}`])
      return rows.map(({ id }) => id)
    }
  }

  async function runningSchemas (): Promise<string[]> {
    const rows = await query<{ schema: string }>(`SELECT schema FROM ${table} WHERE status = 'running'
      UNION SELECT restore_schema FROM ${table} WHERE restore ->> 'status' = 'running'`)
    return rows.map(({ schema: name }) => name)
  }
}

/** ISO 8601 in UTC with milliseconds, as JavaScript writes it; the time zone is pinned to UTC. */
const isoNow = "to_char(clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

const encodeCursor = ({ startedAt, id }: Backup): string => Buffer.from(`${startedAt} ${id}`).toString('base64url')

function decodeCursor (cursor: string): { startedAt: string, id: string } {
  const [startedAt = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split(' ')
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(startedAt) || !/^[0-9a-f-]{36}$/.test(id)) throw new ArgumentInvalid('before is not the next of a page before')
  return { startedAt, id }
}
