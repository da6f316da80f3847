import { ArgumentInvalid } from '../errors.ts'
import type { CatalogColumn, CatalogTable } from '../postgres/catalog/tables.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import { relativeName } from '../backup/select-tables.ts'
import { describeColumn } from '../snapshot/codec/column-encoding.ts'
import type { Drift, Manifest, ManifestColumn, ManifestTable } from '../../types/index.ts'

/** A table whose rows are replaced. */
export interface TableToRestore {
  table: CatalogTable
  recorded: ManifestTable
  /** The columns to load: those of the snapshot that the table still has and does not generate. */
  columns: string[]
  /** The columns that are generated both in the snapshot and in the table; their values are compared after the load. */
  generated: string[]
}

export interface PlannedRestore { tables: TableToRestore[], untouched: string[], drift: Drift[] }

/** How many names a message lists. */
const namesAtMost = 10

/**
 * The restored tables are those that are both in the manifest and in the catalog, without the excluded ones, and only
 * the wanted ones if `wanted` is given. Drift is every difference because of which the restored rows would not be
 * those of the snapshot. Pure.
 * @throws FST_BACKUP_ARGUMENT_INVALID when a wanted table is not in the snapshot, or is excluded
 */
export function planTables (
  manifest: Manifest, catalog: CatalogTable[], schema: string, wanted: string[] | undefined,
  isExcluded: (table: TableRef) => boolean
): PlannedRestore {
  checkWanted(wanted ?? [], manifest, (name) => isExcluded({ schema, name }))
  const inCatalog = new Map(catalog.map((table) => [table.name, table]))
  const drift: Drift[] = []
  const tables: TableToRestore[] = []
  for (const recorded of manifest.tables) {
    if (isExcluded({ schema, name: recorded.name }) || wanted?.includes(recorded.name) === false) continue
    const table = inCatalog.get(recorded.name)
    if (table === undefined) {
      drift.push({ table: recorded.name, problem: 'is in the snapshot, and not in the schema' })
      continue
    }
    const columns = matchColumns(recorded, table)
    if (columns === undefined) {
      drift.push({ table: recorded.name, problem: 'has none of its columns any more' })
      continue
    }
    drift.push(...columnDrift(recorded, table))
    tables.push({ table, recorded, ...columns })
  }
  const restored = new Set(tables.map(({ table }) => table.name))
  return { tables, untouched: catalog.map(({ name }) => name).filter((name) => !restored.has(name)), drift }
}

function checkWanted (wanted: string[], manifest: Manifest, isExcluded: (name: string) => boolean): void {
  const inManifest = new Set(manifest.tables.map(({ name }) => name))
  for (const name of wanted) {
    if (!inManifest.has(name)) throw new ArgumentInvalid(`The snapshot does not contain the table ${name}`)
    if (isExcluded(name)) {
      throw new ArgumentInvalid(`The table ${name} is excluded, so it is never restored; see the option excludeTables`)
    }
  }
}

/** Undefined when no column is left to load, although the snapshot or the table has columns that could be loaded. */
function matchColumns (
  recorded: ManifestTable, table: CatalogTable
): Pick<TableToRestore, 'columns' | 'generated'> | undefined {
  const current = new Map(table.columns.map(({ name, generated }) => [name, generated]))
  const columns = recorded.columns.map(({ name }) => name).filter((name) => current.get(name) === false)
  const isLoaded = ({ generated = false }: { generated?: boolean | undefined }): boolean => !generated
  if (columns.length === 0 && (recorded.columns.some(isLoaded) || table.columns.some(isLoaded))) return undefined
  const generated = recorded.columns.filter((column) => column.generated === true && current.get(column.name) === true)
  return { columns, generated: generated.map(({ name }) => name) }
}

function columnDrift (recorded: ManifestTable, { columns }: CatalogTable): Drift[] {
  const drift: Drift[] = []
  const add = (column: string, problem: string): void => { drift.push({ table: recorded.name, column, problem }) }
  const current = new Map(columns.map((column) => [column.name, column]))
  for (const column of recorded.columns) {
    const now = current.get(column.name)
    if (now === undefined) {
      add(column.name, 'is in the snapshot, and not in the table')
    } else if (now.generated && column.generated !== true) {
      add(column.name, 'is generated, and was not')
    } else if (!isSameType(now, column)) {
      add(column.name, `was ${column.type}, and is ${now.type}`)
    }
  }
  const known = new Set(recorded.columns.map(({ name }) => name))
  for (const { name, required } of columns) {
    if (required && !known.has(name)) add(name, 'is new, NOT NULL and has no default')
  }
  return drift
}

/** Whether the column has the type and the JSON form that it had in the snapshot. */
export const isSameType = (now: CatalogColumn, recorded: ManifestColumn): boolean =>
  now.type === recorded.type && describeColumn(now).encoding === recorded.encoding

/** Warns of columns that were added after the snapshot: a restore sets them to their default. Pure. */
export function newColumnWarnings (tables: TableToRestore[]): string[] {
  return tables.flatMap(({ table, recorded }) => {
    const known = new Set(recorded.columns.map(({ name }) => name))
    const added = table.columns.filter(({ name, generated }) => !generated && !known.has(name))
    if (added.length === 0) return []
    const names = added.map(({ name }) => name).join(', ')
    return [`${table.name} has columns that the snapshot lacks, and every row gets their default: ${names}`]
  })
}

/** Warns of partitions that no longer exist: their rows may make the load fail although there is no drift. Pure. */
export function partitionWarnings (tables: TableToRestore[], schema: string): string[] {
  return tables.flatMap(({ table, recorded: { name, partitions = [] } }) => {
    const current = new Set(table.relations.map((relation) => relativeName(relation, schema)))
    const missing = partitions.filter((partition) => !current.has(partition))
    if (missing.length === 0) return []
    const more = missing.length > namesAtMost ? [`${missing.length - namesAtMost} more`] : []
    const names = [...missing.slice(0, namesAtMost), ...more].join(', ')
    const noLonger = missing.length === 1 ? 'is not a partition' : 'are not partitions'
    return [`${name} had rows in ${names}, which ${noLonger} of it any more; ` +
      'unless other partitions accept these rows, the restore fails']
  })
}

export const driftSummary = (drift: Drift[]): string => drift.map(({ table, column, problem }) => {
  const subject = column === undefined ? table : `${table}.${column}`
  return `${subject} ${problem}`
}).join('; ')
