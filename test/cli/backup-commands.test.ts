import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Backup, BackupList, PrunedBackup, Rescan, Status } from '../../types/index.ts'
import { testSchema } from '../support/database.ts'
import { createShop, type Place, usePlace } from '../support/engine.ts'
import { environmentOf, type Ran, runHere, runJson } from './run-here.ts'

/** The command on a place and a terminal. */
const show = async (place: Place, args: string[], columns = 100): Promise<Ran> =>
  await runHere(args, { env: environmentOf(place), cwd: place.directory, columns })

t.test('create makes a backup of the default schema or of another one', async (t) => {
  const place = await usePlace(t)
  await createShop(place, 'tenant')
  const first = await runJson<Backup>(place, ['create', '--note', 'before', '--exclude', 'orders, backup_logs'])
  t.match(first, { schema: testSchema, note: 'before', createdBy: 'ada', tableCount: 1, status: 'completed' })
  t.ok(existsSync(join(place.directory, first.filename)))

  const second = await runJson<Backup>(place, ['create', 'tenant', '--actor', 'cron'])
  t.match(second, { schema: 'tenant', createdBy: 'cron', tableCount: 2, note: null })
  const third = await runJson<Backup>(place, ['create'], { user: null })
  t.equal(third.createdBy, null)
})

t.test('list shows the newest first, by schema, status and trigger, and in pages', async (t) => {
  const place = await usePlace(t)
  t.match(await show(place, ['list']), { code: 0, stdout: 'There are no backups.\n' })
  await createShop(place, 'tenant')
  const first = await runJson<Backup>(place, ['create'])
  const second = await runJson<Backup>(place, ['create', 'tenant'])
  const ids = ({ backups }: BackupList): string[] => backups.map(({ id }) => id)
  t.strictSame(ids(await runJson(place, ['list'])), [second.id, first.id])
  t.strictSame(ids(await runJson(place, ['list', 'tenant'])), [second.id])
  t.strictSame(ids(await runJson(place, ['list', '--status', 'failed'])), [])
  t.strictSame(ids(await runJson(place, ['list', '--trigger', 'manual', '--status', 'completed'])),
    [second.id, first.id])

  t.strictSame(ids(await runJson(place, ['list', '--since', second.startedAt])), [second.id])
  t.strictSame(ids(await runJson(place, ['list', '--until', second.startedAt])), [first.id])

  const page = await runJson<BackupList>(place, ['list', '--limit', '1'])
  t.strictSame(ids(page), [second.id])
  t.strictSame(ids(await runJson(place, ['list', '--before', page.next ?? ''])), [first.id])
  const { stdout, stderr } = await show(place, ['list', '--limit', '1'])
  t.match(stdout, /^\S*ID.*\n.*tenant.*\n$/)
  t.match(stderr, `There are more: --before ${page.next}`)
})

t.test('an argument that the service refuses is wrong usage', async (t) => {
  const place = await usePlace(t)
  t.match(await show(place, ['list', '--limit', 'many']),
    { code: 2, stderr: /limit must be an integer from 1 to 1000 \(FST_BACKUP_ARGUMENT_INVALID\)/ })
  t.match(await show(place, ['list', '--status', 'lost']), { code: 2, stderr: /status must be one of running/ })
  t.match(await show(place, ['list', '--since', '2026-11-22']),
    { code: 2, stderr: /since must be an instant in ISO 8601/ })
})

t.test('show, pin, unpin, accept and rm find a backup by the first characters of its id', async (t) => {
  const place = await usePlace(t)
  const { id, filename } = await runJson<Backup>(place, ['create'])
  const start = id.slice(0, 8)
  t.equal((await runJson<Backup>(place, ['show', id])).id, id)
  t.equal((await runJson<Backup>(place, ['show', start.toUpperCase()])).id, id)
  t.equal((await runJson<Backup>(place, ['pin', start])).pinned, true)
  t.match(await show(place, ['show', start]), { code: 0, stdout: /remarks.* pinned\n/ })
  t.match(await show(place, ['list'], 120), { stdout: new RegExp(`${start} .*completed.* pinned\n$`) })
  t.equal((await runJson<Backup>(place, ['unpin', start])).pinned, false)
  t.match(await show(place, ['rm', start]), { code: 0, stdout: `Deleted ${id}.\n` })
  t.strictSame(readdirSync(place.directory).filter((name) => name === filename), [])
  t.match(await show(place, ['show', id]), { code: 1, stderr: /FST_BACKUP_NOT_FOUND/ })
})

t.test('rm deletes each backup once, and says what it deleted before it failed', async (t) => {
  const place = await usePlace(t)
  const [{ id }, second] = [await runJson<Backup>(place, ['create']), await runJson<Backup>(place, ['create'])]
  t.strictSame(await runJson(place, ['rm', id, id.slice(0, 8), id]), { removed: [id] })
  const { code, stdout, stderr } = await runHere(['rm', second.id, id], { env: environmentOf(place) })
  t.match({ code, stderr }, { code: 1, stderr: new RegExp(`There is no backup ${id}`) })
  t.strictSame(JSON.parse(stdout), { removed: [second.id] })
})

t.test('the beginning of an id must be that of one backup', async (t) => {
  const place = await usePlace(t)
  const { id } = await runJson<Backup>(place, ['create'])
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at)
    SELECT (left(id::text, 35) || CASE right(id::text, 1) WHEN '0' THEN '1' ELSE '0' END)::uuid, schema,
      'other.json', 'failed', trigger, started_at FROM backup_logs`
  t.match(await show(place, ['show', id.slice(0, 8)]), { code: 2, stderr: /is the beginning of several ids: .*,/ })
  t.match(await show(place, ['list', '--status', 'failed']), { code: 0, stdout: / failed +manual +\S+ \S+\n$/ })
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at)
    SELECT ('ffffffff-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'many', i || '.json', 'failed', 'manual', now()
      FROM generate_series(1, 1000) i`
  t.match(await show(place, ['show', id.slice(0, 8)]), { code: 2, stderr: /is the beginning of several ids/ })
  t.match(await show(place, ['show', 'ffffffff-0000-4000-8000-000000000007']), { code: 0, stdout: /status +failed\n/ })
  t.match(await show(place, ['show', '00000000']),
    { code: 1, stderr: /There is no backup whose id begins with '00000000' \(FST_BACKUP_NOT_FOUND\)/ })
  t.match(await show(place, ['show', 'newest']), { code: 2, stderr: /'newest' is not the id of a backup/ })
})

t.test('status ends with 3 while there is a problem', async (t) => {
  const place = await usePlace(t)
  await runJson<Backup>(place, ['create'])
  t.equal((await runJson<Status>(place, ['status', testSchema])).healthy, true)
  t.match(await show(place, ['status']), {
    code: 0, stdout: /healthy.*\n\n.*snapshots.* 1\.\d KiB\n.*restores.* not allowed\n\nThe newest snapshot/
  })
  const broken = { ...environmentOf(place), FASTIFY_BACKUP_STORAGE_PATH: join(place.directory, 'elsewhere') }
  const { code, stdout } = await runHere(['status', '--allow-restore'], { env: broken, columns: 80 })
  t.equal(code, 3)
  t.match(stdout, /not healthy.*\n {2}\S*storage_missing\S*: .*\n/)
  t.match(stdout, /restores.* allowed/)
})

t.test('status reports without a database what is known', async (t) => {
  const env = { NO_COLOR: '1', DATABASE_URL: 'postgres://127.0.0.1:1/none' }
  const { code, stdout } = await runHere(['status'], { env, columns: 80 })
  t.equal(code, 3)
  t.match(stdout, /database_unavailable.*\n\n.*snapshots.* not known/s)
})

t.test('status shows the schedule of the service, although it runs no schedule itself', async (t) => {
  const place = await usePlace(t)
  const { id } = await runJson<Backup>(place, ['create'])
  await place.sql`UPDATE backup_logs SET started_at = started_at - interval '9 days' WHERE id = ${id}`
  const { code, stdout } = await show(place, ['status', '--schedule-enabled'])
  t.equal(code, 3)
  t.match(stdout, /snapshot_too_old/)
})

t.test('prune says what it deleted and why', async (t) => {
  const place = await usePlace(t)
  t.match(await show(place, ['prune']), { code: 0, stdout: 'There was nothing to delete.\n' })
  const { id } = await runJson<Backup>(place, ['create'])
  await runJson(place, ['create'])
  const text = await show(place, ['prune', '--max-backups', '1'])
  t.match(text, { code: 0, stdout: new RegExp(`DELETED.*REASON.*\n${id.slice(0, 8)} .*\n$`) })
  t.strictSame((await runJson<{ pruned: PrunedBackup[] }>(place, ['prune', '--max-backups', '1'])).pruned, [])
})

t.test('rescan shows what it adopted and what is missing', async (t) => {
  const place = await usePlace(t)
  const { id } = await runJson<Backup>(place, ['create'])
  t.match(await show(place, ['rescan']), { code: 0, stdout: 'The log and the storage agree.\n' })
  await place.sql`DELETE FROM backup_logs`
  t.strictSame((await runJson<Rescan>(place, ['rescan'])).adopted.map((backup) => backup.id), [id])
  await place.sql`DELETE FROM backup_logs`
  t.match(await show(place, ['rescan']), { code: 0, stdout: new RegExp(`Adopted, .*:\n.*\n${id.slice(0, 8)} `) })
})

t.test('a suspect snapshot says what it lost', async (t) => {
  const place = await usePlace(t)
  await place.sql`INSERT INTO users (name) SELECT 'user ' || i FROM generate_series(1, 200) i`
  await runJson(place, ['create'])
  await place.sql`DELETE FROM users WHERE name LIKE 'user%'`
  const { code, stdout, stderr } = await show(place, ['create'])
  t.equal(code, 0)
  t.match(stdout, /suspect.* users: 202 rows before, 2 now; all tables: 205 rows before, 5 now\n/)
  t.match(stderr, /warning:.* a backup has far fewer rows/)
  const { backups: [newest] } = await runJson<BackupList>(place, ['list'])
  t.equal((await runJson<Backup>(place, ['accept', newest?.id ?? ''])).accepted, true)
})
