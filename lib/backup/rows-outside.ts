import type { TableRef } from '../postgres/identifiers.ts'
import type { CatalogTable } from '../postgres/catalog/tables.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { isCitusWorker, readCitusTables } from '../postgres/catalog/citus.ts'
import { type OutsideChild, type OutsideLeaf, readOutsideChildren, readOutsideLeaves } from '../postgres/catalog/inheritance.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/** Names that a sentence may have. */
const namesAtMost = 10

/** Why rows that are read through these tables lie where a snapshot can't have them. Empty when there are none. */
export async function elsewhereProblems (tx: Transaction, tables: CatalogTable[], server: ServerFacts): Promise<string[]> {
  const relations = tables.flatMap((table) => table.relations.map(({ oid }) => oid))
  const managed = await readCitusTables(tx, server, relations)
  const owned = (await readOutsideChildren(tx, roots(tables))).filter(({ extension }) => extension !== null)
  return [
    ...await isCitusWorker(tx, server) ? ['the connection leads to a worker node of Citus; connect to the coordinator'] : [],
    ...tables.flatMap(({ name, relations }) => {
      const [first] = relations.filter(({ oid }) => managed.has(oid))
      return first === undefined ? [] : [`${first.schema}.${first.name} is a table of Citus, whose nodes can not be read at one moment; exclude ${name}`]
    }),
    ...grouped(owned, ({ table, extension }) => `${table}\n${extension}`).map((children) => {
      const { table, extension } = children[0] as OutsideChild
      return `rows of ${table} lie in ${listed(children)}, which belong to the extension ${extension} and can not be read apart from it; exclude ${table}`
    })
  ]
}

/** What a reader might expect in a snapshot of these tables, and has to look for elsewhere. */
export async function elsewhereWarnings (tx: Transaction, tables: CatalogTable[], isExcluded: (table: TableRef) => boolean): Promise<string[]> {
  const children = (await readOutsideChildren(tx, roots(tables))).filter((child) => child.extension === null && !isExcluded(child))
  return grouped(children, ({ table }) => table).map((some) =>
    `${listed(some)} ${some.length === 1 ? 'inherits' : 'inherit'} from ${(some[0] as OutsideChild).table}, and the rows there are not in this snapshot`)
}

/** The same of partitions that lie in this schema. */
export async function leafWarnings (tx: Transaction, schema: string, isExcluded: (table: TableRef) => boolean): Promise<string[]> {
  const leaves = (await readOutsideLeaves(tx, schema)).filter((leaf) => !isExcluded(leaf))
  return grouped(leaves, ({ rootSchema, root }) => `${rootSchema}\n${root}`).map((some) => {
    const { rootSchema, root } = some[0] as OutsideLeaf
    const belongs = some.length === 1 ? 'is a partition' : 'are partitions'
    return `${listed(some)} ${belongs} of ${rootSchema}.${root}, and the rows there are in snapshots of the schema ${rootSchema}, not in this one`
  })
}

/** A table comes first among its relations. */
const roots = (tables: CatalogTable[]): string[] => tables.flatMap(({ relations }) => relations.slice(0, 1).map(({ oid }) => oid))

function grouped<T> (items: T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(key(item), [...groups.get(key(item)) ?? [], item])
  return [...groups.values()]
}

function listed (refs: TableRef[]): string {
  const names = refs.slice(0, namesAtMost).map(({ schema, name }) => `${schema}.${name}`)
  const more = refs.length - names.length
  return [...names, ...more > 0 ? [`${more} more`] : []].join(', ')
}
