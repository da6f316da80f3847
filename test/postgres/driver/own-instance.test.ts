import t from 'tap'
import postgres, { type Options, type PostgresType } from 'postgres'
import { acceptPool } from '../../../lib/postgres/driver/connection.ts'
import { inTransaction } from '../../../lib/postgres/driver/transaction.ts'
import { createShop, useEngine, usePlace } from '../../support/engine.ts'

type Settings = Options<Record<string, PostgresType>>

const mode = 'ISOLATION LEVEL READ COMMITTED READ ONLY'

const fail = (): never => { throw new TypeError('hunter2') }
const text = (serialize: (value: unknown) => unknown): PostgresType =>
  ({ to: 25, from: [25, 1043, 16, 20, 23], serialize, parse: fail })

/** Transforms and types that must not affect the statements of the library. */
const instances: Record<string, Settings> = {
  'rows that are cloned': { transform: { row: { from: (row: object) => structuredClone(row) } } },
  'rows as maps': { transform: { row: (row: object) => new Map(Object.entries(row)) } },
  'rows as undefined': { transform: { row: () => undefined } },
  'rows that fail': { transform: { row: { from: fail } } },
  'rows of text only': {
    transform: {
      row: (row: Record<string, string>) =>
        Object.fromEntries(Object.entries(row).map(([key, value]) => [key, value.trim()]))
    }
  },
  'columns under one name': { transform: { column: { from: () => 'x', to: () => 'x' } } },
  'values that fail': { transform: { value: { from: fail } } },
  'text with brackets': { types: { text: text((value) => `<${String(value)}>`) } },
  'text as bytes': { types: { text: text((value) => Buffer.from(String(value)).toString('hex')) } },
  'text that fails': { types: { text: text(fail) } },
  'all of it': {
    ...postgres.camel,
    transform: { undefined: null, column: () => 'x', value: fail, row: fail },
    types: { text: text(fail) }
  }
}

for (const [what, settings] of Object.entries(instances)) {
  t.test(`transforms and types of the application's instance: ${what}`, async (t) => {
    const place = await usePlace(t)
    const sql = postgres(place.url, { max: 2, fetch_types: false, onnotice () {}, ...settings })
    t.after(async () => { await sql.end() })
    const engine = useEngine(t, place, { sql, worker: false })
    const { id } = await engine.create({ note: "it's $1, \\ and ä" })
    await place.sql`DELETE FROM orders`
    const plan = await engine.plan(id)
    t.equal(plan.ok, true)
    t.strictSame(plan.tables.map(({ name, rowsNow, rowsAfter }) => ({ name, rowsNow, rowsAfter })), [
      { name: 'orders', rowsNow: 0, rowsAfter: 3 },
      { name: 'users', rowsNow: 2, rowsAfter: 2 }
    ])
    t.match(await engine.restore(id), { rowCount: 5 })
    t.equal((await place.sql`SELECT FROM orders`).length, 3)
    const { backups } = await engine.list({ status: 'restored' })
    t.strictSame(backups.map(({ note }) => note), ["it's $1, \\ and ä"])
  })
}

t.test('the transforms of the instance still apply to all other queries, also concurrent ones', async (t) => {
  const place = await usePlace(t)
  const from = (row: object): object => ({ wrapped: row })
  const sql = postgres(place.url, { max: 4, onnotice () {}, transform: { row: { from } } })
  t.after(async () => { await sql.end() })
  const ours = async (): Promise<unknown> => await inTransaction(sql, mode, async (tx) => {
    await tx.run('SELECT 1; SELECT 2')
    return await tx.query('SELECT i FROM generate_series(1, 100) i')
  })
  const theirs = async (): Promise<unknown> => [...await sql`SELECT i FROM generate_series(1, 100) i`]
  const numbers = Array.from({ length: 100 }, (_, i) => ({ i: i + 1 }))
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => await (i % 2 === 0 ? ours() : theirs())))
  const wrapped = numbers.map((row) => ({ wrapped: row }))
  t.strictSame(answers, answers.map((_, i) => i % 2 === 0 ? numbers : wrapped))
  const fails = 'SELECT 1 / (3 - i) FROM generate_series(1, 5) i'
  await t.rejects(inTransaction(sql, mode, async (tx) => await tx.query(fails)), { code: '22012' })
  t.strictSame([...await sql`SELECT 1 AS i`], [{ wrapped: { i: 1 } }], 'also after an error between rows')
})

t.test('a transform.column that throws for a name of the library is refused', async (t) => {
  const columns = [{ from: fail }, { to: fail }]
  const refused = { code: 'FST_BACKUP_OPTION_INVALID', message: /'sql' has a transform.column that throws/ }
  for (const column of columns) {
    t.throws(() => acceptPool(postgres({ max: 2, transform: { column } })), refused)
  }
})

t.test('a parameter is replaced only outside of names and strings, by its exact value', async (t) => {
  const place = await usePlace(t)
  const ask = async (statement: string, parameters: string[]): Promise<unknown> =>
    await inTransaction(place.sql, mode, async (tx) => await tx.query(statement, parameters))
  const hostile = "'; DROP TABLE users; -- \\' $2 $1 \" ä"
  const statement = 'SELECT $1::text AS "$1", \'$1\'\'$2\' AS b, $2::text AS """$2", E\'\\\\\' AS c -- it\'s not $9\n'
  t.strictSame(await ask(statement, [hostile, '\\']), [{ $1: hostile, b: "$1'$2", '"$2': '\\', c: '\\' }])
  await t.rejects(ask('SELECT $2::text AS a', ['x']), { message: /no parameter 2/ })
  await t.rejects(ask('SELECT $1::text AS a', ['x\0']), { message: /NUL/ })

  const schema = 'a$1\'\\b'
  await createShop(place, schema)
  const engine = useEngine(t, place, { schema })
  const { id } = await engine.create()
  t.match(await engine.restore(id), { rowCount: 5 })
  const { healthy, newest } = await engine.status()
  t.equal(healthy, true)
  t.strictSame(newest.map((backup) => backup.schema), [schema])
})
