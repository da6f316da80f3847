import t from 'tap'
import { checkArguments } from '../../lib/arguments/check-arguments.ts'
import { useEngine, usePlace } from '../support/engine.ts'
import { testSchema } from '../support/database.ts'

const invalid = (message: RegExp) => ({ code: 'FST_BACKUP_ARGUMENT_INVALID', statusCode: 400, message })

t.test('an id is a UUID in lower case', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const uuid = '00000000-0000-4000-8000-000000000000'
  const bad = [
    '', 'x', uuid.slice(0, -1), `${uuid.slice(0, -1)}A`, `../${uuid}`, `{${uuid}}`, `${uuid}\n`, 7, null, undefined, {}
  ]
  for (const id of bad as string[]) {
    const refused = invalid(/UUID/)
    await t.rejects(engine.get(id), refused)
    await t.rejects(engine.download(id), refused)
    await t.rejects(engine.plan(id), refused)
    await t.rejects(engine.restore(id), refused)
    await t.rejects(engine.remove(id), refused)
    await t.rejects(engine.update(id, {}), refused)
  }
})

t.test('the error for an argument of the wrong type names it', async (t) => {
  const bad: Array<[Parameters<typeof checkArguments>[0], string, unknown[]]> = [
    ['create', 'schema', ['', 'x'.repeat(64), 'ж'.repeat(32), 'a\0b', 7, null]],
    ['create', 'excludeTables', ['users', {}, [''], [7], ['a\0b'], ['x'.repeat(128)], new Array(1001).fill('x')]],
    ['create', 'note', [7, null, 'a\0b', 'e\u0301'.repeat(501), 'x'.repeat(1001)]],
    ['create', 'actor', [7, 'a\0b', 'x'.repeat(201)]],
    ['create', 'signal', [{}, 'x']],
    ['create', 'onProgress', [{}, 'x']],
    ['plan', 'schema', ['']],
    ['plan', 'tables', [[], 'users', ['']]],
    ['restore', 'tables', [[]]],
    ['restore', 'allowSchemaDrift', ['true', 1, null]],
    ['restore', 'allowModified', ['true', 1]],
    ['list', 'schema', ['']],
    ['list', 'status', ['done', 7]],
    ['list', 'trigger', ['cron']],
    ['list', 'limit', [0, 1001, 1.5, '10', Number.NaN]],
    ['list', 'before', [7, {}]],
    ['update', 'pinned', ['yes', 1, null]],
    ['update', 'note', [7, 'x'.repeat(1001)]]
  ]
  for (const [call, name, values] of bad) {
    for (const value of values) {
      const shown = `${call} ${name} ${JSON.stringify(value)?.slice(0, 20)}`
      t.throws(() => { checkArguments(call, { [name]: value }) }, invalid(new RegExp(`^${name} must be `)), shown)
    }
  }
})

t.test('the error for an argument of the wrong type says what it must be', async (t) => {
  const expected: Array<[Parameters<typeof checkArguments>[0], string, string]> = [
    ['create', 'schema', 'the name of a schema: 1 to 63 bytes'],
    ['create', 'excludeTables', 'a list of at most 1000 table names'],
    ['create', 'note', 'text of at most 1000 characters'],
    ['create', 'actor', 'text of at most 200 characters'],
    ['create', 'signal', 'an AbortSignal'],
    ['create', 'onProgress', 'a function'],
    ['restore', 'tables', 'a list of 1 to 1000 table names'],
    ['restore', 'allowSchemaDrift', 'true or false'],
    ['restore', 'allowModified', 'true or false'],
    ['list', 'status', 'one of running, completed, failed, restored'],
    ['list', 'trigger', 'one of manual, scheduled, pre_restore, import'],
    ['list', 'limit', 'an integer from 1 to 1000'],
    ['list', 'before', 'the next of the previous page'],
    ['status', 'after', 'the newestNext of the previous page'],
    ['update', 'pinned', 'true or false'],
    ['update', 'accepted', 'true or false']
  ]
  for (const [call, name, text] of expected) {
    t.throws(() => { checkArguments(call, { [name]: Symbol(name) }) }, invalid(new RegExp(`^${name} must be ${text}$`)))
  }
})

t.test('valid arguments pass, and undefined counts as absent', async (t) => {
  checkArguments('create', {
    schema: 'ж'.repeat(31),
    excludeTables: [],
    note: '',
    actor: '😀'.repeat(200),
    signal: new AbortController().signal,
    onProgress () {}
  })
  checkArguments('restore', { schema: undefined, tables: ['users'], allowSchemaDrift: true, allowModified: false })
  checkArguments('list', { status: 'restored', trigger: 'import', limit: 1000, before: 'x' })
  checkArguments('update', { pinned: false, note: null })
})

t.test('an unknown argument is an error: a misspelt one must not extend a restore', async (t) => {
  t.throws(
    () => { checkArguments('restore', { table: ['users'] }) },
    invalid(/^restore\(\) does not accept table; it accepts schema, tables, /)
  )
  t.throws(() => { checkArguments('create', { exclude: [] }) }, invalid(/^create\(\) does not accept exclude/))
  t.throws(() => { checkArguments('plan', JSON.parse('{"__proto__": 1}')) }, invalid(/does not accept __proto__/))
  t.throws(() => { checkArguments('list', { toString: 1 }) }, invalid(/does not accept toString/))
  for (const given of ['public', 7, null, ['public']]) {
    t.throws(() => { checkArguments('create', given) }, invalid(/^create\(\) accepts an object/))
  }
})

t.test('a schema that the caller may not name is 403, whether it exists or not', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { schemas: [testSchema] })
  const { id } = await engine.create()
  for (const schema of ['tenant', 'nowhere', 'pg_catalog', 'information_schema']) {
    const refused = { code: 'FST_BACKUP_SCHEMA_NOT_ALLOWED', statusCode: 403, message: new RegExp(schema) }
    await t.rejects(engine.create({ schema }), refused)
    await t.rejects(engine.plan(id, { schema }), refused)
    await t.rejects(engine.restore(id, { schema }), refused)
    await t.rejects(engine.restore('00000000-0000-4000-8000-000000000000', { schema }), refused)
  }
  const narrow = useEngine(t, place, { schemas: () => false })
  await t.rejects(narrow.restore(id), { code: 'FST_BACKUP_NOT_FOUND' }, 'the schema of a snapshot is checked, too')
  t.strictSame((await engine.list()).backups.map((backup) => backup.id), [id])
})

t.test('a malformed cursor is an error', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const id = '00000000-0000-4000-8000-000000000000'
  const cursor = (text: string): string => Buffer.from(text).toString('base64url')
  const bad = [
    '', 'x', '%', cursor(''), cursor('x'), cursor(`17 ${'-'.repeat(36)}`), cursor(`99999999999999999999 ${id}`),
    cursor(`yesterday ${id}`), cursor('17'), cursor(`17 ${id} x`), `${cursor(`17 ${id}`)}=`
  ]
  for (const before of bad) await t.rejects(engine.list({ before }), invalid(/before must be the next/), before)
  t.strictSame(await engine.list({ before: cursor(`17 ${id}`) }), { backups: [], next: null })
})
