import postgres from 'postgres'
import t, { type Test } from 'tap'
import { createBackupLog, type BackupLog } from '../../lib/log/backup-log.ts'
import { prepareLogTable } from '../../lib/log/log-table.ts'
import type { NewRun } from '../../lib/log/run-records.ts'
import { type TestDatabase, testSchema, useDatabase } from '../support/database.ts'

const id = '00000000-0000-4000-8000-000000000000'
const run: Omit<NewRun, 'startedAt'> = {
  id,
  schema: testSchema,
  filename: 'a.json',
  trigger: 'manual',
  compression: 'none',
  createdBy: null,
  cron: null,
  note: null,
  slot: null,
  partial: false
}

function useLog (t: Test, { url }: TestDatabase, schema = testSchema): BackupLog {
  const sql = postgres(url, { max: 2, onnotice () {} })
  t.after(async () => { await sql.end() })
  return createBackupLog(sql, schema, () => new Date())
}

t.test('when several replicas start at once, the table is created once', async (t) => {
  const database = await useDatabase(t)
  const logs = Array.from({ length: 8 }, () => useLog(t, database))
  await Promise.all(logs.map(async (log) => { await log.prepare() }))
  t.strictSame([...await database.sql`SELECT obj_description('backup_logs'::regclass) AS comment`],
    [{ comment: 'fastify-backup log, version 6' }])
  for (const log of logs) t.strictSame(await log.list({}, null), { backups: [], next: null })
})

t.test('its schema may have any name, and must exist', async (t) => {
  const database = await useDatabase(t)
  const schema = 'a"b.../\\x'
  const log = useLog(t, database, schema)
  const message = /there is no schema a"b/
  await t.rejects(log.prepare(), { code: 'FST_BACKUP_LOG_UNUSABLE', statusCode: 500, message })
  await database.sql.unsafe('CREATE SCHEMA "a""b.../\\x"')
  await log.prepare()
  t.strictSame(await log.schemas(), [])
})

t.test('another table of that name is not changed', async (t) => {
  const database = await useDatabase(t)
  await database.sql`CREATE TABLE backup_logs (id int)`
  const log = useLog(t, database)
  const foreign = { code: 'FST_BACKUP_LOG_UNUSABLE', message: /was not made by fastify-backup/ }
  await t.rejects(log.prepare(), foreign)
  await database.sql`COMMENT ON TABLE backup_logs IS 'ours'`
  await t.rejects(log.get(id), foreign)
  t.strictSame([...await database.sql`SELECT * FROM backup_logs`], [])
  await database.sql`DROP TABLE backup_logs`
  t.equal(await log.get(id), undefined, 'the next call retries')
})

t.test('a table of a newer release is refused', async (t) => {
  const database = await useDatabase(t)
  await useLog(t, database).prepare()
  await database.sql`COMMENT ON TABLE backup_logs IS 'fastify-backup log, version 99'`
  await t.rejects(useLog(t, database).prepare(), { code: 'FST_BACKUP_LOG_UNUSABLE', message: /newer release/ })
})

t.test('a table of the first release is migrated, and its rows are numbered by their start', async (t) => {
  const database = await useDatabase(t)
  await useLog(t, database).prepare()
  await database.sql.unsafe(`
    ALTER TABLE backup_logs DROP COLUMN restore, DROP COLUMN restores, DROP COLUMN restored_into,
      DROP COLUMN error_code, ADD COLUMN restore jsonb, ADD COLUMN restore_schema text,
      DROP COLUMN ordinal, DROP COLUMN suspect,
      DROP COLUMN accepted, DROP COLUMN warnings,
      DROP COLUMN row_counts, DROP COLUMN partial, DROP COLUMN adopted, DROP COLUMN restored_rows, DROP COLUMN sidecar,
      DROP COLUMN inserted_at, DROP COLUMN origin, DROP COLUMN events, DROP COLUMN changed_in, DROP COLUMN counted,
      DROP COLUMN carried, DROP COLUMN verified_at, DROP COLUMN verification, DROP COLUMN stored_bytes;
    COMMENT ON TABLE backup_logs IS 'fastify-backup log, version 1';
    INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, size_bytes) VALUES
      ('00000000-0000-4000-8000-000000000002', 'a', 'b', 'failed', 'manual', '2026-01-02', 20),
      ('00000000-0000-4000-8000-000000000001', 'a', 'a', 'failed', 'manual', '2026-01-01', 10)`)
  const log = useLog(t, database)
  const { backups } = await log.list({}, null)
  t.strictSame(backups.map(({ backup: { sizeBytes, storedBytes } }) => [sizeBytes, storedBytes]), [[20, 20], [10, 10]])
  t.strictSame(backups.map(({ backup, ordinal }) => [backup.filename, ordinal]), [['b', 2], ['a', 1]])
  t.strictSame(backups.map(({ backup: { suspect, accepted, warnings, partial }, isRestored, adopted }) =>
    ({ suspect, accepted, warnings, isRestored, partial, adopted })), Array.from({ length: 2 }, () =>
    ({ suspect: null, accepted: false, warnings: [], isRestored: false, partial: false, adopted: false })))
  const next = await log.insert({ ...run, schema: 'a', filename: 'c', startedAt: new Date('2025-01-01') })
  t.equal(next?.ordinal, 3)
})

t.test('the migration keeps the newest restore of each snapshot, and what is certain about its target', async (t) => {
  const database = await useDatabase(t)
  await useLog(t, database).prepare()
  const startedAt = '2026-01-03T00:00:00.000Z'
  const failed = { status: 'failed', startedAt, finishedAt: startedAt, by: 'ada', preRestoreId: null, error: 'disk' }
  const completed = { ...failed, status: 'completed', error: null }
  await database.sql.unsafe(`
    ALTER TABLE backup_logs DROP COLUMN restore, DROP COLUMN restores, DROP COLUMN restored_into,
      DROP COLUMN error_code, DROP COLUMN verification, DROP COLUMN stored_bytes,
      ADD COLUMN restore jsonb, ADD COLUMN restore_schema text;
    COMMENT ON TABLE backup_logs IS 'fastify-backup log, version 4'`)
  const insert = async (filename: string, target: string | null, restore: object | null): Promise<void> => {
    await database.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, restore_schema,
      restore, events) VALUES (gen_random_uuid(), 'a', ${filename}, 'failed', 'manual', '2026-01-01', ${target},
      ${restore === null ? null : database.sql.json(restore as never)}, '[{"name": "kept"}, {"row": "{}"}]')`
  }
  await insert('never', null, null)
  await insert('completed', 'b', completed)
  await insert('failed', 'b', failed)
  await insert('failed later', 'b', { ...failed, restoredInto: 'c' })
  const { backups } = await useLog(t, database).list({}, null)
  t.strictSame(backups.map(({ backup, restoredInto }) => [backup.filename, restoredInto, backup.restores]), [
    ['failed later', 'c', [{ ...failed, schema: 'b', errorCode: null }]],
    ['failed', null, [{ ...failed, schema: 'b', errorCode: null }]],
    ['completed', 'b', [{ ...completed, schema: 'b', errorCode: null }]],
    ['never', null, []]
  ])
  t.strictSame((await database.sql`SELECT DISTINCT events FROM backup_logs`).map(({ events }) => events),
    [[{ name: 'kept' }]])
})

t.test('a replica waits for another one that migrates the table', async (t) => {
  const database = await useDatabase(t)
  const other = postgres(database.url, { max: 1 })
  t.after(async () => { await other.end() })
  // The table does not exist before the lock is taken, and does after that
  await database.sql.begin(async (tx) => {
    await tx`CREATE TABLE unrelated ()`
    await Promise.all([prepareLogTable(other, testSchema), prepareLogTable(database.sql, testSchema)])
  })
  t.equal((await database.sql`SELECT FROM backup_logs`).length, 0)
})

t.test('the error for a role that lacks a privilege on the log or its schema says how to grant it', async (t) => {
  const database = await useDatabase(t, { owner: 'plain' })
  await database.sql`CREATE SCHEMA locked`
  const sql = postgres(database.ownerUrl)
  t.after(async () => { await sql.end() })
  const log = createBackupLog(sql, 'locked', () => new Date())
  const [{ role } = {}] = await sql`SELECT quote_ident(current_user) AS role`
  const code = 'FST_BACKUP_LOG_UNUSABLE'
  const grantThe = async (advice: RegExp): Promise<void> => {
    const error = await log.get(id).catch((thrown) => thrown)
    t.match(error, { code, message: advice })
    await database.sql.unsafe(/(GRANT .*?)(?:,? or name another|$)/.exec(error.message)?.[1] ?? '')
  }
  await grantThe(/lacks USAGE, CREATE on the schema locked.*GRANT USAGE, CREATE ON SCHEMA "locked" TO "/)
  t.equal(await log.get(id), undefined)
  await database.sql.unsafe(`ALTER TABLE locked.backup_logs OWNER TO CURRENT_USER;
    REVOKE CREATE ON SCHEMA locked FROM ${role}`)
  await grantThe(/lacks SELECT, INSERT, UPDATE, DELETE on the table locked.backup_logs; run GRANT/)
  t.equal(await log.get(id), undefined)
  await database.sql`COMMENT ON TABLE locked.backup_logs IS 'fastify-backup log, version 1'`
  const other = createBackupLog(sql, 'locked', () => new Date())
  await t.rejects(other.get(id), { code, message: /lacks CREATE on the schema locked/ })
  await database.sql.unsafe(`GRANT CREATE ON SCHEMA locked TO ${role}`)
  await t.rejects(other.get(id), { code, message: /does not own the table locked.backup_logs, which has to be mig/ })
})

t.test('an error about privileges is passed on if the role lacks none on the log', async (t) => {
  const database = await useDatabase(t)
  const log = useLog(t, database)
  await log.prepare()
  await database.sql.unsafe(`CREATE FUNCTION refuse () RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE insufficient_privilege; END';
    CREATE TRIGGER refuse BEFORE INSERT ON backup_logs FOR EACH ROW EXECUTE FUNCTION refuse ()`)
  await t.rejects(log.insert({ ...run, startedAt: new Date() }),
    { code: 'FST_BACKUP_DATABASE_FAILED', message: /42501/ })
})

t.test('a log that is dropped or lacks a column is reported, and created again when it was dropped', async (t) => {
  const database = await useDatabase(t)
  const log = useLog(t, database)
  await log.prepare()
  await database.sql`ALTER TABLE backup_logs DROP COLUMN note`
  const unusable = { code: 'FST_BACKUP_LOG_UNUSABLE', message: /vanished or was changed/ }
  await t.rejects(log.get(id), unusable)
  await database.sql`ALTER TABLE backup_logs ADD COLUMN note text`
  t.equal(await log.get(id), undefined)
  await database.sql`DROP TABLE backup_logs`
  await t.rejects(log.get(id), unusable)
  t.equal(await log.get(id), undefined)
})

t.test('settings of the role or the database have no effect', async (t) => {
  const database = await useDatabase(t)
  const name = new URL(database.url).pathname.slice(1)
  await database.sql.unsafe(`
    ALTER DATABASE ${name} SET default_transaction_read_only = on;
    ALTER DATABASE ${name} SET timezone = 'Asia/Kathmandu';
    ALTER DATABASE ${name} SET datestyle = 'SQL, DMY';
    ALTER DATABASE ${name} SET search_path = nowhere;
    ALTER DATABASE ${name} SET lock_timeout = 1`)
  const log = useLog(t, database)
  const startedAt = new Date('2026-01-02T03:04:05.678Z')
  await log.insert({ ...run, startedAt })
  t.match((await log.get(id))?.backup, { id, startedAt: startedAt.toISOString(), status: 'running' })
})

t.test('a completed row must describe its file', async (t) => {
  const database = await useDatabase(t)
  await useLog(t, database).prepare()
  await t.rejects(database.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at)
    VALUES (${id}, ${testSchema}, 'a', 'completed', 'manual', now())`, { code: '23514' })
})
