import t from 'tap'
import { useDatabase } from '../support/database.ts'
import { useEngineWithFiles } from '../support/engine.ts'
import { useTcpProxy } from '../support/tcp-proxy.ts'
import { readState, sameDatabase } from './database-state.ts'

const functions = 'CREATE FUNCTION twice (int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \'BEGIN RETURN $1 * 2; END\''
const rows = (column: string): string => `SELECT n AS id, ${column} AS v FROM generate_series(1, 3000) n`

const cases: Array<[what: string, statements: string, formats: string[]]> = [
  ['a table of types with an encoder', `CREATE TABLE item AS ${rows('now() - n * interval \'1 s\'')}`, ['binary']],
  ['an empty table', 'CREATE TABLE item (id int, v text[])', ['binary']],
  ['a type without an encoder', `CREATE TABLE item AS ${rows('point(n, n)')}`, ['text']],
  [
    'a value that has another form, among others',
    `CREATE TABLE item AS ${rows("CASE n WHEN 2000 THEN timestamp '0044-03-15 BC' ELSE timestamp '2024-01-01' END")}`,
    ['binary', 'text']
  ],
  ['such a value in the first row', `CREATE TABLE item AS ${rows('\'[0:1]={1,2}\'::int[]')}`, ['binary', 'text']],
  [
    'a row of several 100 KB',
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

for (const [what, statements, formats] of cases) {
  t.test(`${what} is loaded exactly, as ${formats.join(' and then as ')}`, async (t) => {
    const { sql, url } = await useDatabase(t)
    await sql.unsafe(statements)
    const proxy = await useTcpProxy(t, url)
    const { engine } = await useEngineWithFiles(t, { connection: proxy.url })
    const { id } = await engine.create()
    const before = await readState(sql)
    await sql`DELETE FROM item`
    const copied: string[] = []
    proxy.onSent = (text) => {
      copied.push(...[...text.matchAll(/COPY "[^;]* FROM STDIN( \(FORMAT binary\))?/g)]
        .map(([, binary]) => binary === undefined ? 'text' : 'binary'))
    }
    await engine.restore(id)
    proxy.onSent = () => {}
    await sameDatabase(t, sql, before)
    t.strictSame(copied, formats)
  })
}

t.test('with schema drift, rows are loaded as text', async (t) => {
  const { sql, url } = await useDatabase(t)
  await sql.unsafe('CREATE TABLE item (id int, v int, w int); INSERT INTO item VALUES (1, 2, 3)')
  const { engine } = await useEngineWithFiles(t, { connection: url })
  const { id } = await engine.create()
  await sql.unsafe('ALTER TABLE item ALTER v TYPE bigint, DROP w; DELETE FROM item')
  t.match(await engine.restore(id, { allowSchemaDrift: true }), { rowCount: 1 })
  t.strictSame([...await sql`SELECT id, v FROM item`], [{ id: 1, v: '2' }])
})

t.end()
