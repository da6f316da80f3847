import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import backup from '../../lib/index.ts'
import type { Backup, BackupList } from '../../types/index.ts'
import { testSchema } from '../support/database.ts'
import { type Place, usePlace } from '../support/engine.ts'
import { until } from '../support/until.ts'
import { environmentOf } from './run-here.ts'
import { findPty, type Screen, startOnTerminal, startProgram } from './start-program.ts'

const optionsOf = (place: Place): { cwd: string, env: NodeJS.ProcessEnv } =>
  ({ cwd: place.directory, env: { ...environmentOf(place), FASTIFY_BACKUP_WORKER: 'true', NO_COLOR: '1' } })

/** A command with pipes, that must succeed and print JSON. */
async function run<T> (t: Test, place: Place, args: string[]): Promise<T> {
  const { code, stdout, stderr } = await startProgram(t, args, optionsOf(place)).ended
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

/** So many rows that a backup takes a second or more. */
async function addRows ({ sql }: Place): Promise<void> {
  await sql`INSERT INTO users (name) SELECT repeat('x', 400) FROM generate_series(1, 400000)`
}

const skipWithoutTerminal = async (): Promise<{ skip: string | false }> => {
  const pty = await findPty()
  return { skip: typeof pty === 'string' ? pty : false }
}
const terminal = await skipWithoutTerminal()

t.test('the program prints help and JSON, and errors on stderr', async (t) => {
  const place = await usePlace(t)
  const help = await startProgram(t, ['--help'], { cwd: place.directory }).ended
  t.match(help, { code: 0, stderr: '', stdout: /^Usage: fastify-backup / })
  t.match(await startProgram(t, ['lst'], { cwd: place.directory }).ended, { code: 2, stdout: '', stderr: /^error: / })

  const { id } = await run<Backup>(t, place, ['create'])
  t.strictSame((await run<BackupList>(t, place, ['list'])).backups.map((backup) => backup.id), [id])
  t.match(await startProgram(t, ['show', '00000000-0000-4000-8000-000000000000'], optionsOf(place)).ended,
    { code: 1, stdout: '', stderr: /FST_BACKUP_NOT_FOUND/ })
  const exported = await startProgram(t, ['export', id, '-'], optionsOf(place)).ended
  const imported = await startProgram(t, ['import', '-'], { ...optionsOf(place), input: exported.stdout }).ended
  t.match(JSON.parse(imported.stdout), { trigger: 'import', rowCount: 5 })
})

t.test('a service that is down is restored by the command line', async (t) => {
  const place = await usePlace(t)
  const app = Fastify()
  await app.register(backup, {
    enabled: true, connection: place.url, storagePath: place.directory, schema: testSchema, auth: [async () => {}]
  })
  await app.ready()
  const { id } = await app.backup.create()
  await app.close()
  await place.sql`TRUNCATE users, orders`

  const args = ['restore', id.slice(0, 8), '--allow-restore']
  t.match(await startProgram(t, args, optionsOf(place)).ended, { code: 2, stderr: /pass --yes/ })
  t.match(await run(t, place, [...args, '--yes']), { rowCount: 5 })
  t.strictSame([...await place.sql`SELECT name FROM users ORDER BY id`], [{ name: 'Ada' }, { name: 'Bob' }])
})

t.test('a database that was lost is restored by rescan and restore', async (t) => {
  const place = await usePlace(t)
  const { id } = await run<Backup>(t, place, ['create'])
  await place.sql`DROP TABLE backup_logs`
  await place.sql`TRUNCATE users, orders`
  await run(t, place, ['rescan'])
  t.match(await run(t, place, ['restore', id, '--allow-restore', '--yes']), { rowCount: 5 })
})

t.test('schedule ends with 0 on SIGTERM', { skip: process.platform === 'win32' }, async (t) => {
  const place = await usePlace(t)
  const schedule = startProgram(t, ['schedule', '--no-json'], optionsOf(place))
  await until(() => schedule.stderr().includes('The next backup'))
  schedule.kill('SIGTERM')
  t.match(await schedule.ended, { code: 0, stderr: /^The next backup: \S+ \S+ UTC\n$/ })
})

t.test('SIGINT aborts a backup, and leaves a failed row', { skip: process.platform === 'win32' }, async (t) => {
  const place = await usePlace(t)
  await addRows(place)
  const create = startProgram(t, ['create', '--progress'], optionsOf(place))
  await until(() => create.stderr().includes('"progress"'))
  create.kill('SIGINT')
  t.match(await create.ended, { code: 130, stdout: '', stderr: /interrupted\n$/ })
  t.strictSame(readdirSync(place.directory).filter((name) => !name.startsWith('.fastify-backup-log')), [])
  const { backups } = await run<BackupList>(t, place, ['list'])
  t.strictSame(backups.map(({ status, error }) => [status, error]), [['failed', 'Aborted: by the caller']])
})

t.test('a configuration that prints, or that ends the process, does not pass for a result', async (t) => {
  const place = await usePlace(t)
  const config = (text: string): void => { writeFileSync(join(place.directory, 'fastify-backup.config.mjs'), text) }
  config("console.log('loading'); console.info('…'); export default () => { console.debug('called'); return {} }")
  const printed = await startProgram(t, ['list'], optionsOf(place)).ended
  t.match(printed, { code: 0, stderr: 'loading\n…\ncalled\n' })
  t.strictSame(JSON.parse(printed.stdout), { backups: [], next: null })
  for (const text of ['process.exit(0)', 'await new Promise(() => {}); export default {}']) {
    config(text)
    t.match(await startProgram(t, ['list'], optionsOf(place)).ended,
      { code: 1, stdout: '', stderr: /error: the process ended before the command did\n/ })
  }
})

t.test('a reader that ends early is no failure', async (t) => {
  const place = await usePlace(t)
  const { id } = await run<Backup>(t, place, ['create'])
  for (const args of [['list'], ['export', id, '-']]) {
    const program = startProgram(t, args, optionsOf(place))
    program.closeOutput()
    t.match(await program.ended, { code: 0, stderr: '' })
  }
})

/** The program on a terminal of 60 columns. */
const narrow = async (t: Test, place: Place, args: string[], columns = 60): Promise<Screen> =>
  await startOnTerminal(t, args, { ...optionsOf(place), columns })

t.test('tables fit into 60 columns, whatever the names are', terminal, async (t) => {
  const place = await usePlace(t)
  await place.sql.unsafe(`CREATE TABLE "evil\u001b[2J\u0007 ${'long '.repeat(8)}" AS SELECT 1 AS id`)
  const { id, filename } = await run<Backup>(t, place, ['create', '--note', 'n'.repeat(100)])
  const list = await narrow(t, place, ['list'])
  t.equal(await list.ended, 0)
  t.match(list.lines()[0], /^ID +SCHEMA +STATUS +STARTED \(UTC\)/)
  t.equal(list.lines().length, 2)
  t.ok(list.lines()[1]?.startsWith(id.slice(0, 8)))

  const inspect = await narrow(t, place, ['inspect', join(place.directory, filename)])
  t.equal(await inspect.ended, 0)
  t.match(inspect.lines().find((line) => line.startsWith('evil')), /^evil\\u001b\[2J\\u0007 long .*… +1$/)
})

t.test('a restore shows its plan, a bar, and asks for the name of the schema', terminal, async (t) => {
  const place = await usePlace(t)
  await addRows(place)
  const { id } = await run<Backup>(t, place, ['create'])
  await place.sql`TRUNCATE users, orders`
  const screen = await narrow(t, place, ['restore', id.slice(0, 8), '--allow-restore'])
  const question = `Type the name of the schema to restore (${testSchema}):`
  await screen.shows(question)
  t.match(screen.lines().find((line) => line.startsWith('users')), /^users +0 +400,002 +\+400,002$/)
  screen.type('no\r')
  await screen.shows(`That is not ${testSchema}.`)
  screen.type(`${testSchema}\r`)
  await screen.shows(/\n(?:verifying|backing up|loading) .*(?:\d%|B|rows)/)
  t.equal(await screen.ended, 0)
  const lines = screen.lines()
  t.strictSame(lines.filter((line) => /^(?:verifying|backing up|loading) /.test(line)), [], 'the bar is gone')
  t.match(lines.join('\n'), /\nRestored 400,005 rows of 2 tables into schema/)
})

t.test('Ctrl-C at the question, and during a backup', terminal, async (t) => {
  const place = await usePlace(t)
  await addRows(place)
  const { id } = await run<Backup>(t, place, ['create'])
  const restore = await narrow(t, place, ['restore', id, '--allow-restore'])
  await restore.shows('Type the name')
  restore.type('\u0003')
  t.equal(await restore.ended, 130)
  t.equal(restore.lines().at(-1), 'interrupted')

  const create = await narrow(t, place, ['create'])
  await create.shows('backing up')
  create.type('\u0003')
  t.equal(await create.ended, 130)
  t.strictSame(create.lines().filter((line) => line !== '' && line !== '^C').at(-1)?.replace(/^\^C/, ''), 'interrupted')
  const { backups } = await run<BackupList>(t, place, ['list'])
  t.strictSame(backups.map(({ status }) => status), ['failed', 'completed'])
})
