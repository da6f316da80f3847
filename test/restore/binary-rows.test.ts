import t, { type Test } from 'tap'
import type { RestoreOptions } from '../../types/index.ts'
import { type TestDatabase, useDatabase } from '../support/database.ts'
import { type TestEngine, useEngineWithFiles } from '../support/engine.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { readState, sameDatabase } from './database-state.ts'

const functions = 'CREATE FUNCTION twice (int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \'BEGIN RETURN $1 * 2; END\''
const rows = (column: string): string => `SELECT n AS id, ${column} AS v FROM generate_series(1, 3000) n`

const cases: Array<[what: string, statements: string, formats: string[]]> = [
  ['a table of types with an encoder', `CREATE TABLE item AS ${rows('now() - n * interval \'1 s\'')}`, ['binary']],
  ['an empty table', 'CREATE TABLE item (id int, v text[])', ['binary']],
  ['a type without an encoder', `CREATE TABLE item AS ${rows('point(n, n)')}`, ['text']],
  [
    'a year before 1 in the middle of a table',
    `CREATE TABLE item AS ${rows("CASE n WHEN 2000 THEN timestamp '0044-03-15 BC' ELSE timestamp '2024-01-01' END")}`,
    ['binary', 'text']
  ],
  [
    'an array with a lower bound of 0 in the first row',
    `CREATE TABLE item AS ${rows('\'[0:1]={1,2}\'::int[]')}`,
    ['binary', 'text']
  ],
  [
    'a table whose rows run user-defined functions, which could see the rows of an earlier COPY',
    `${functions}; CREATE DOMAIN checked AS int CHECK (twice(VALUE) > 0);
      CREATE TABLE item (id checked); INSERT INTO item VALUES (1)`,
    ['text']
  ],
  [
    'rows of 500 kB',
    `CREATE TABLE item AS ${rows("repeat('x', CASE n % 1000 WHEN 1 THEN 500000 ELSE 3 END)")}`,
    ['binary']
  ],
  [
    'a row of more than 1 MiB',
    `CREATE TABLE item AS ${rows("repeat('é\"', CASE n WHEN 9 THEN 600000 ELSE 3 END)")}`,
    ['binary', 'text']
  ],
  ['a table without columns', 'CREATE TABLE item (); INSERT INTO item DEFAULT VALUES', ['text']],
  [
    'a column that a function generates',
    `${functions}; CREATE TABLE item (id int, v int GENERATED ALWAYS AS (twice(id)) STORED);
      INSERT INTO item VALUES (1)`,
    ['text']
  ]
]

interface Watched extends TestDatabase {
  engine: TestEngine
  /** Restores, and returns the formats of the COPY statements that load the rows. */
  restore: (id: string, options?: RestoreOptions) => Promise<string[]>
}

async function useWatched (t: Test, encoding = 'UTF8'): Promise<Watched> {
  const { sql, url } = await useDatabase(t, { encoding })
  const proxy = await useTcpProxy(t, url)
  const { engine } = await useEngineWithFiles(t, { connection: proxy.url })
  return {
    sql,
    url,
    engine,
    async restore (id, options) {
      const formats: string[] = []
      proxy.onSent = (text) => {
        formats.push(...[...text.matchAll(/COPY "[^;]* FROM STDIN( \(FORMAT binary\))?/g)]
          .map(([, binary]) => binary === undefined ? 'text' : 'binary'))
      }
      await engine.restore(id, options)
      proxy.onSent = () => {}
      return formats
    }
  }
}

for (const [what, statements, formats] of cases) {
  t.test(`${what} is loaded exactly, as ${formats.join(' and then as ')}`, async (t) => {
    const { sql, engine, restore } = await useWatched(t)
    await sql.unsafe(statements)
    const { id } = await engine.create()
    const before = await readState(sql)
    await sql`DELETE FROM item`
    t.strictSame(await restore(id), formats)
    await sameDatabase(t, sql, before)
  })
}

for (const [what, change, formats] of [
  ['a type', 'ALTER TABLE item ALTER v TYPE bigint', ['text']],
  ['a column that is missing', 'ALTER TABLE item DROP w', ['text']],
  ['a column that is new', 'ALTER TABLE item ADD x int', ['binary']]
] as const) {
  t.test(`with the drift of ${what}, rows are loaded as ${formats[0]}`, async (t) => {
    const { sql, engine, restore } = await useWatched(t)
    await sql`CREATE TABLE item (id int, v int, w int)`
    await sql`INSERT INTO item VALUES (1, 2, 3)`
    const { id } = await engine.create()
    await sql.unsafe(`${change}; DELETE FROM item`)
    t.strictSame(await restore(id, { allowSchemaDrift: true }), formats)
    t.strictSame([...await sql`SELECT id, v::int FROM item`], [{ id: 1, v: 2 }])
  })
}

t.test('rows of a database that is not in UTF-8 are loaded as text', async (t) => {
  const { sql, engine, restore } = await useWatched(t, 'LATIN1')
  await sql`CREATE TABLE item AS SELECT 1 AS id, 'é' AS v`
  const { id } = await engine.create()
  await sql`DELETE FROM item`
  t.strictSame(await restore(id), ['text'])
  t.strictSame([...await sql`SELECT * FROM item`], [{ id: 1, v: 'é' }])
})

t.test('without WebAssembly, rows are loaded as text', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql`CREATE TABLE item AS SELECT 1 AS id, 'é' AS v`
  const { engine } = await useEngineWithFiles(t, { connection: url, worker: false })
  const { id } = await engine.create()
  const before = await readState(sql)
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') as PropertyDescriptor
  Object.defineProperty(globalThis, 'WebAssembly', { ...own, value: undefined })
  t.after(async () => { Object.defineProperty(globalThis, 'WebAssembly', own) })
  await sql`DELETE FROM item`
  await engine.restore(id)
  await sameDatabase(t, sql, before)
})
