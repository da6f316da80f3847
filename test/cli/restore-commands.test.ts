import t from 'tap'
import type { Backup, BackupList, RestorePlan, RestoreResult } from '../../types/index.ts'
import { testSchema } from '../support/database.ts'
import { createShop, type Place, usePlace } from '../support/engine.ts'
import { environmentOf, keyboard, type Ran, runHere, runJson, type RunOptions } from './run-here.ts'

/** The command on a place and a terminal. */
const show = async (place: Place, args: string[], options: RunOptions = {}): Promise<Ran> =>
  await runHere(args, { env: environmentOf(place), cwd: place.directory, columns: 80, ...options })

const names = async ({ sql }: Place): Promise<string[]> =>
  (await sql<Array<{ name: string }>>`SELECT name FROM users ORDER BY name`).map(({ name }) => name)

/** A place with a snapshot of its two users, of whom one was then renamed. */
async function useChanged (t: Parameters<typeof usePlace>[0]): Promise<{ place: Place, id: string }> {
  const place = await usePlace(t)
  const { id } = await runJson<Backup>(place, ['create'])
  await place.sql`UPDATE users SET name = 'Eve' WHERE name = 'Ada'`
  await place.sql`INSERT INTO users (name) VALUES ('Zoe')`
  return { place, id }
}

t.test('plan shows what a restore would change', async (t) => {
  const { place, id } = await useChanged(t)
  const plan = await runJson<RestorePlan>(place, ['plan', id, '--tables', 'orders'])
  t.strictSame(plan.tables, [{ name: 'orders', rowsNow: 3, rowsAfter: 3 }])
  const { code, stdout } = await show(place, ['plan', id])
  t.equal(code, 0)
  t.match(stdout, /TABLE.*CHANGE.*\norders +3 +3\nusers +3 +2 .*-1/)
  t.match(stdout, /Tables that keep their rows:\n {2}- backup_logs\n/)
  t.match(stdout, /Sequences:\n {2}- users_id_seq: from 3 to 2\n/)
  t.match(stdout, 'The snapshot can be restored.')
})

t.test('plan ends with 3 when the schema differs, and a restore is refused before it asks', async (t) => {
  const { place, id } = await useChanged(t)
  await place.sql`ALTER TABLE users ADD COLUMN email text, DROP COLUMN name`
  await place.sql`DROP TABLE orders`
  const plan = await show(place, ['plan', id])
  t.equal(plan.code, 3)
  t.match(plan.stdout, /differs from the snapshot:.*\n {2}- .*users\.name: .*/s)
  t.match(plan.stdout, /Warnings:.*\n {2}- .*email/)
  t.match(plan.stdout, 'unless --allow-schema-drift is given')

  const restored = await show(place, ['restore', id, '--allow-restore'], { stdin: keyboard() })
  t.equal(restored.code, 1)
  t.match(restored.stderr, /FST_BACKUP_SCHEMA_DRIFT\)\n {2}- orders: .*\n {2}- users\.name: /)
  const json = await show(place, ['restore', id, '--allow-restore', '--yes', '--json'])
  const { error } = JSON.parse(json.stderr.slice(json.stderr.indexOf('{\n'))) as { error: Record<string, unknown> }
  t.strictSame([error.code, Object.keys(error)], ['FST_BACKUP_SCHEMA_DRIFT', ['code', 'message', 'drift']])

  const forced = await show(place, ['restore', id, '--allow-restore', '--yes', '--allow-schema-drift'])
  t.equal(forced.code, 0)
  t.match(forced.stdout, /Differences that were accepted:\n {2}- /)
})

t.test('a restore must be allowed and confirmed', async (t) => {
  const { place, id } = await useChanged(t)
  t.match(await show(place, ['restore', id, '--yes']),
    { code: 2, stderr: /pass --allow-restore, or set allowRestore: true .*\(FST_BACKUP_RESTORE_NOT_ALLOWED\)/ })
  const noTerminal = { code: 2, stdout: '', stderr: /no terminal to confirm it on: pass --yes/ }
  t.match(await show(place, ['restore', id, '--allow-restore']), noTerminal)
  t.match(await show(place, ['restore', id, '--allow-restore'], { columns: undefined }), noTerminal)
  t.match(await show(place, ['restore', id, '--allow-restore'], { columns: undefined, stdin: keyboard() }), noTerminal)
  t.strictSame(await names(place), ['Bob', 'Eve', 'Zoe'])
})

t.test('--yes restores without a question', async (t) => {
  const { place, id } = await useChanged(t)
  const again = await show(place, ['restore', id, '--allow-restore', '-y'])
  t.notMatch(again.stderr, 'warning:', 'the lines of the run in the log of the service')
  await place.sql`UPDATE users SET name = 'Eve' WHERE name = 'Ada'`
  const result = await runJson<RestoreResult>(place, ['restore', id, '--allow-restore', '-y', '--actor', 'cron'])
  t.match(result, { id, schema: testSchema, rowCount: 5 })
  t.strictSame(await names(place), ['Ada', 'Bob'])
  t.equal((await runJson<Backup>(place, ['show', id])).restoredBy, 'cron')
  t.match(await show(place, ['show', id]), { stdout: /restored by\S* +cron\n.*restores\S* +into \S+: completed at/ })
})

t.test('a restore into another schema, with some of the tables', async (t) => {
  const { place, id } = await useChanged(t)
  await createShop(place, 'copy')
  await place.sql`DELETE FROM copy.orders`
  const args = ['restore', id, '--allow-restore', '--yes', '--into', 'copy', '--tables', 'orders', '--allow-modified']
  t.match(await runJson<RestoreResult>(place, args), { schema: 'copy', rowCount: 3 })
})

t.test('the name of the schema confirms a restore, and nothing else does', async (t) => {
  const { place, id } = await useChanged(t)
  const stdin = keyboard()
  const typed = ['yes\r', `${testSchema}\r`]
  let asked = 0
  const { code, stdout, stderr } = await show(place, ['restore', id.slice(0, 8), '--allow-restore'], {
    stdin,
    onError (text) {
      const questions = text.split(`(${testSchema}): `).length - 1
      if (questions > asked) stdin.write(typed[asked++] ?? '')
    }
  })
  t.equal(code, 0)
  t.match(stderr, /users +3 +2 .*Tables that keep/s, 'the plan comes first')
  t.match(stderr, `will be replaced, in database ${new URL(place.url).pathname.slice(1)} on `)
  t.match(stderr, `That is not ${testSchema}. Ctrl-C cancels.`)
  t.match(stdout, /^Restored 5 rows of 2 tables into schema .*\n.*\n {2}fastify-backup restore [0-9a-f-]{36} --allow/)
  t.strictSame(await names(place), ['Ada', 'Bob'])
})

for (const [title, key] of [['Ctrl-C', '\u0003'], ['Ctrl-D', '\u0004']] as const) {
  t.test(`${title} at the question changes nothing`, async (t) => {
    const { place, id } = await useChanged(t)
    const stdin = keyboard()
    const { code, stderr } = await show(place, ['restore', id, '--allow-restore'], {
      stdin, onError (text) { if (text.endsWith('): ')) stdin.write(key) }
    })
    t.equal(code, 130)
    t.match(stderr, /interrupted\n$/)
    t.strictSame(await names(place), ['Bob', 'Eve', 'Zoe'])
    t.equal((await runJson<BackupList>(place, ['list'])).backups.length, 1)
  })
}

t.test('a signal at the question changes nothing', async (t) => {
  const { place, id } = await useChanged(t)
  const interrupt = new AbortController()
  const { code } = await show(place, ['restore', id, '--allow-restore'], {
    stdin: keyboard(),
    interrupted: interrupt.signal,
    onError (text) { if (text.endsWith('): ')) interrupt.abort() }
  })
  t.equal(code, 130)
  t.strictSame(await names(place), ['Bob', 'Eve', 'Zoe'])
})
