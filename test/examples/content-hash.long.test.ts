import t from 'tap'
import { compareContent, expectContent, readContent, type Content } from '../../examples/demo/content-hash.js'
import { prove } from '../../examples/demo/steps.js'
import { useDatabase } from '../support/database.ts'

const contentOf = (
  tables: Record<string, [rows: number, hash: string]>, sequences: Record<string, string> = {}
): Content => ({
  tables: new Map(Object.entries(tables).map(([name, [rows, hash]]) => [name, { rows, hash }])),
  sequences: new Map(Object.entries(sequences))
})

const before = contentOf({ orders: [2, 'a'], audit_logs: [1, 'b'] }, { orders_id_seq: '2', audit_logs_id_seq: '1' })
const damaged = contentOf({ orders: [0, 'x'], audit_logs: [3, 'c'] }, {
  orders_id_seq: '1, not called', audit_logs_id_seq: '3'
})
const restored = contentOf({ orders: [2, 'a'], audit_logs: [3, 'c'] }, { orders_id_seq: '2', audit_logs_id_seq: '3' })

t.test('equal contents have no differences, in any order', async (t) => {
  const reordered = contentOf({ audit_logs: [1, 'b'], orders: [2, 'a'] }, {
    audit_logs_id_seq: '1', orders_id_seq: '2'
  })
  t.same(compareContent(before, reordered), [])
})

t.test('every difference is listed', async (t) => {
  const expected = contentOf({ a: [1, 'x'], b: [1, 'x'], c: [1, 'x'], gone: [0, 'x'] }, { a_seq: '1', gone_seq: '1' })
  const actual = contentOf({ a: [1, 'x'], b: [1, 'y'], c: [2, 'x'], added: [0, 'x'] }, { a_seq: '1, not called' })
  t.same(compareContent(expected, actual), ['b', 'c', 'gone', 'added', 'a_seq', 'gone_seq'])
})

t.test('an excluded table and its sequence are expected to stay damaged', async (t) => {
  t.same(expectContent(before, damaged, ['audit_logs']), restored)
  t.same(expectContent(before, damaged, []), before)
})

t.test('the proof succeeds when the restore is complete', async (t) => {
  const lines: string[] = []
  prove({ before, damaged, after: restored, say: (line) => { lines.push(line) } })
  t.match(lines.find((line) => line.startsWith('orders')), /a +x +a +as before$/)
  t.match(lines.find((line) => line.startsWith('audit_logs')), /b +c +c +kept as it is$/)
})

t.test('the proof fails when the restore is incomplete, or nothing was damaged', async (t) => {
  const say = (): void => {}
  t.throws(() => prove({ before, damaged, after: damaged, say }), {
    message: 'The restore did not bring back orders, orders_id_seq'
  })
  t.throws(
    () => prove({ before, damaged, after: before, say }),
    { message: 'The restore did not bring back audit_logs, audit_logs_id_seq' },
    'when audit_logs was restored as well'
  )
  t.throws(() => prove({ before, damaged: before, after: before, say }), {
    message: 'Nothing was damaged, so nothing is proved'
  })
})

t.test('a content is read from the database', async (t) => {
  const { sql } = await useDatabase(t, { schema: 'public' })
  await sql.unsafe(`
    CREATE TABLE "odd ""name" (id serial, body text);
    INSERT INTO "odd ""name" (body) VALUES ('one'), (NULL), (E'three\\n');
    CREATE TABLE empty (id integer);
    CREATE TABLE backup_logs (id integer)`)
  const first = await readContent(sql)
  t.same([...first.tables.keys()], ['empty', 'odd "name'], 'all tables except the log of the plugin')
  t.equal(first.tables.get('odd "name')?.rows, 3)
  t.same([...first.sequences], [['odd "name_id_seq', '3']])

  await sql.unsafe('UPDATE "odd ""name" SET id = id WHERE id = 1')
  t.same(compareContent(first, await readContent(sql)), [], 'the physical order of rows does not matter')

  await sql.unsafe(`
    UPDATE "odd ""name" SET body = '' WHERE body IS NULL;
    ALTER SEQUENCE "odd ""name_id_seq" RESTART 3;
    INSERT INTO empty VALUES (NULL)`)
  const changed = await readContent(sql)
  t.same(
    compareContent(first, changed),
    ['empty', 'odd "name', 'odd "name_id_seq'],
    'NULL is not the empty text, and the state of a sequence has two parts'
  )
})
