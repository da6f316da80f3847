import t from 'tap'
import type { CatalogRelation, CatalogTable } from '../../lib/postgres/catalog/tables.ts'
import { createExclusion, excludedNames, selectTables, tableProblems } from '../../lib/backup/select-tables.ts'

const logTable = { schema: 'ops', name: 'backup_logs' }
const none = createExclusion([], logTable)

const relation = (name: string, rest: Partial<CatalogRelation> = {}): CatalogRelation => ({
  oid: '1',
  schema: 'shop',
  name,
  kind: 'r',
  filenode: '1',
  currentFilenode: '1',
  owned: true,
  estimatedRows: null,
  selectable: true,
  reachable: true,
  hidesRows: false,
  forcesRowSecurity: false,
  generates: [],
  ...rest
})
const table = (name: string, ...relations: CatalogRelation[]): CatalogTable =>
  ({ name, columns: [], relations: relations.length === 0 ? [relation(name)] : relations })

t.test('a table is excluded by its name in every schema, or by its qualified name in one', async (t) => {
  const isExcluded = createExclusion(['sessions', 'shop.carts'], logTable)
  t.ok(isExcluded({ schema: 'shop', name: 'sessions' }))
  t.ok(isExcluded({ schema: 'blog', name: 'sessions' }))
  t.ok(isExcluded({ schema: 'shop', name: 'carts' }))
  t.notOk(isExcluded({ schema: 'blog', name: 'carts' }))
  t.notOk(isExcluded({ schema: 'shop', name: 'users' }))
})

t.test('a dot in a name is part of it', async (t) => {
  const isExcluded = createExclusion(['shop.carts'], logTable)
  t.ok(isExcluded({ schema: 'blog', name: 'shop.carts' }))
  t.notOk(isExcluded({ schema: 'shop', name: 'shop' }))
})

t.test('the log table is always excluded, and only in its schema', async (t) => {
  t.ok(none(logTable))
  t.notOk(none({ schema: 'shop', name: 'backup_logs' }))
})

t.test('names of properties of every object are not excluded', async (t) => {
  t.notOk(none({ schema: '__proto__', name: 'constructor' }))
})

t.test('tables that are not excluded are selected, in the order of the catalog', async (t) => {
  const tables = ['a', 'b', 'c', 'd'].map((name) => table(name))
  const selected = selectTables(tables, 'shop', createExclusion(['c', 'shop.a', 'blog.b'], logTable))
  t.strictSame(selected.map(({ name }) => name), ['b', 'd'])
})

t.test('excludedNames() returns excluded tables, without the log table', async (t) => {
  const isExcluded = createExclusion(['c', 'ops.a', 'backup_logs'], logTable)
  t.strictSame(excludedNames(['a', 'b', 'c', 'backup_logs'], 'ops', isExcluded, logTable), ['a', 'c'])
  t.strictSame(excludedNames(['a', 'b', 'c', 'backup_logs'], 'shop', isExcluded, logTable), ['c', 'backup_logs'])
})

t.test('a table whose rows can all be read has no problems', async (t) => {
  const events = table('events', relation('events', { kind: 'p' }), relation('events_1'))
  t.strictSame(tableProblems([table('users'), events], none), [])
})

t.test('every problem of every relation is reported, with its solution', async (t) => {
  const tables = [
    table('events', relation('events', { kind: 'p' }), relation('events_1', { schema: 'archive' }),
      relation('events_2', { kind: 'f' })),
    table('users', relation('users', { selectable: false, hidesRows: true })),
    table('hidden', relation('hidden', { selectable: false, reachable: false })),
    table('visits', relation('visits', { kind: 'p' }), relation('visits_1', {
      generates: [{ name: 'a', byFunction: true }, { name: 'b', byFunction: false }]
    }))
  ]
  t.strictSame(tableProblems(tables, createExclusion(['archive.events_1'], logTable)), [
    'archive.events_1 is a partition of events and cannot be excluded by itself; exclude events',
    'shop.events_2 is a foreign table and a partition of events; exclude events',
    'the role lacks the SELECT privilege on shop.users; grant it, or exclude users',
    'row security may hide rows of shop.users from the role; it needs BYPASSRLS',
    'the role lacks the USAGE privilege on the schema shop of shop.hidden; grant it, or exclude hidden',
    'shop.visits_1 generates the column a by a function while visits does not, ' +
      'so a restore could change its values; exclude visits'
  ])
})
