import t from 'tap'
import { catalogRelation } from './catalog-relation.ts'
import type { CatalogColumn, CatalogTable } from '../../lib/postgres/catalog/tables.ts'
import type { TableRef } from '../../lib/postgres/identifiers.ts'
import { driftSummary, newColumnWarnings, partitionWarnings, planTables } from '../../lib/restore/restore-plan.ts'
import type { ManifestColumn, ManifestTable } from '../../types/index.ts'
import { manifestOf, tableOf } from '../snapshot/manifest.ts'

const integer = 23

const columnOf = (name: string, rest: Partial<CatalogColumn> = {}): CatalogColumn =>
  ({
    name,
    type: 'integer',
    baseType: integer,
    isEnum: false,
    element: null,
    required: false,
    generated: false,
    ...rest
  })

function catalogTable (name: string, columns: CatalogColumn[], partitions: string[] = []): CatalogTable {
  const relations = [name, ...partitions].map((relation, index) => catalogRelation(`${index}`, 'public', relation))
  return { name, columns, relations }
}

const id: ManifestColumn = { name: 'id', type: 'integer' }
const nothingExcluded = (): boolean => false

t.test('a restore contains the tables of the manifest that exist, are wanted and are not excluded', async (t) => {
  const manifest = manifestOf(['a', 'b', 'c'].map((name) => tableOf(name, [id])))
  const catalog = ['a', 'b', 'c', 'd'].map((name) => catalogTable(name, [columnOf('id')]))
  const isExcluded = ({ schema, name }: TableRef): boolean => schema === 'public' && name === 'b'
  const plan = (wanted?: string[]): unknown => {
    const { tables, untouched, drift } = planTables(manifest, catalog, 'public', wanted, isExcluded)
    return { tables: tables.map(({ table }) => table.name), untouched, drift }
  }
  t.strictSame(plan(), { tables: ['a', 'c'], untouched: ['b', 'd'], drift: [] })
  t.strictSame(plan(['c']), { tables: ['c'], untouched: ['a', 'b', 'd'], drift: [] })
  t.throws(() => plan(['c', 'd']), { code: 'FST_BACKUP_ARGUMENT_INVALID', message: /not contain the table d$/ })
  t.throws(() => plan(['b']), { code: 'FST_BACKUP_ARGUMENT_INVALID', message: /b is excluded/ })
})

t.test('a table that is missing, or has none of its columns any more, is drift and not restored', async (t) => {
  const manifest = manifestOf([tableOf('gone', [id]), tableOf('other', [id])])
  const catalog = [catalogTable('other', [columnOf('key')])]
  t.strictSame(planTables(manifest, catalog, 'public', undefined, nothingExcluded), {
    tables: [],
    untouched: ['other'],
    drift: [
      { table: 'gone', problem: 'is in the snapshot, and not in the schema' },
      { table: 'other', problem: 'has none of its columns any more' }
    ]
  })
})

t.test('columns are loaded, compared or drift', async (t) => {
  const source = tableOf('item', [
    id,
    { name: 'total', type: 'integer', generated: true },
    { name: 'plain', type: 'integer', generated: true },
    { name: 'computed', type: 'integer' },
    { name: 'gone', type: 'text' },
    { name: 'changed', type: 'text' },
    { name: 'amount', type: 'domain', encoding: 'number' }
  ])
  const catalog = [catalogTable('item', [
    columnOf('id'),
    columnOf('total', { generated: true }),
    columnOf('plain'),
    columnOf('computed', { generated: true }),
    columnOf('changed'),
    columnOf('amount', { type: 'domain', baseType: 25 }),
    columnOf('added'),
    columnOf('needed', { required: true })
  ])]
  const { tables, drift } = planTables(manifestOf([source]), catalog, 'public', undefined, nothingExcluded)
  t.strictSame(tables.map(({ columns, generated }) => ({ columns, generated })), [
    { columns: ['id', 'plain', 'changed', 'amount'], generated: ['total'] }
  ])
  t.equal(driftSummary(drift), 'item.computed is generated, and was not; ' +
    'item.gone is in the snapshot, and not in the table; item.changed was text, and is integer; ' +
    'item.amount was domain, and is domain; item.needed is new, NOT NULL and has no default')
  t.strictSame(newColumnWarnings(tables), [
    'item has columns that the snapshot lacks, and every row gets their default: added, needed'
  ])
})

t.test('a plan warns of at most ten missing partitions by name', async (t) => {
  const names = Array.from({ length: 11 }, (_, index) => `p${index}`)
  const [recorded] = manifestOf([tableOf('events', [id])]).tables as [ManifestTable]
  const warnings = (partitions: string[], present: string[]): string[] => partitionWarnings([{
    table: catalogTable('events', [columnOf('id')], present),
    recorded: { ...recorded, partitions },
    columns: ['id'],
    generated: []
  }], 'public')
  const rest = 'of it any more; unless other partitions accept these rows, the restore fails'
  t.strictSame(warnings(names, names), [])
  t.strictSame(warnings(['p0'], []), [`events had rows in p0, which is not a partition ${rest}`])
  t.strictSame(warnings(names.slice(1), []),
    [`events had rows in ${names.slice(1).join(', ')}, which are not partitions ${rest}`])
  t.strictSame(warnings(names, []),
    [`events had rows in ${names.slice(0, 10).join(', ')}, 1 more, which are not partitions ${rest}`])
})
