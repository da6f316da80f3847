import type { TableRef } from '../postgres/identifiers.ts'
import type { CatalogTable } from '../postgres/catalog/tables.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { isCitusWorker, readCitusTables } from '../postgres/catalog/citus.ts'
import {
  type OutsideChild, type OutsidePartition, readOutsideChildren, readOutsidePartitions
} from '../postgres/catalog/inheritance.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/** Names in one message. */
const namesAtMost = 10

/** Relations that inherit from these tables and are not tables of this snapshot. */
export const outsideChildren = async (tx: Transaction, tables: CatalogTable[]): Promise<OutsideChild[]> =>
  await readOutsideChildren(tx, roots(tables))

/** Problems for tables with rows that a snapshot cannot contain, because Citus or an extension manages them. */
export async function managedRowsProblems (
  tx: Transaction, tables: CatalogTable[], server: ServerFacts, children: OutsideChild[]
): Promise<string[]> {
  const relations = tables.flatMap((table) => table.relations.map(({ oid }) => oid))
  const managed = await readCitusTables(tx, server, relations)
  const owned = children.filter(({ extension }) => extension !== null)
  const isWorker = await isCitusWorker(tx, server)
  return [
    ...isWorker ? ['the connection leads to a worker node of Citus; connect to the coordinator'] : [],
    ...tables.flatMap(({ name, relations }) => {
      const [first] = relations.filter(({ oid }) => managed.has(oid))
      if (first === undefined) return []
      return [`${first.schema}.${first.name} is a table of Citus, whose nodes cannot be read at one moment; ` +
        `exclude ${name}`]
    }),
    ...grouped(owned, ({ table, extension }) => `${table}\n${extension}`).map((children) => {
      const { table, extension } = children[0] as OutsideChild
      return `rows of ${table} are in ${listed(children)}, which belong to the extension ${extension} ` +
        `and cannot be read apart from it; exclude ${table}`
    })
  ]
}

/**
 * Warnings for relations that inherit from these tables and are not tables of this snapshot, such as those in other
 * schemas: queries of the parent return their rows, the snapshot does not contain them.
 */
export function outsideChildWarnings (
  children: OutsideChild[], isExcluded: (table: TableRef) => boolean
): string[] {
  const named = children.filter((child) => child.extension === null && !isExcluded(child))
  return grouped(named, ({ table }) => table).map((some) => {
    const { table } = some[0] as OutsideChild
    const inherit = some.length === 1 ? 'inherits' : 'inherit'
    return `${listed(some)} ${inherit} from ${table}, and the rows there are not in this snapshot`
  })
}

/** Warnings for partitions in this schema whose root is in another one. */
export async function outsidePartitionWarnings (
  tx: Transaction, schema: string, isExcluded: (table: TableRef) => boolean
): Promise<string[]> {
  const leaves = (await readOutsidePartitions(tx, schema)).filter((leaf) => !isExcluded(leaf))
  return grouped(leaves, ({ rootSchema, root }) => `${rootSchema}\n${root}`).map((some) => {
    const { rootSchema, root } = some[0] as OutsidePartition
    const belongs = some.length === 1 ? 'is a partition' : 'are partitions'
    return `${listed(some)} ${belongs} of ${rootSchema}.${root}, ` +
      `and the rows there are in snapshots of the schema ${rootSchema}, not in this one`
  })
}

/** The first relation of a table is the table itself. */
const roots = (tables: CatalogTable[]): string[] =>
  tables.flatMap(({ relations }) => relations.slice(0, 1).map(({ oid }) => oid))

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
