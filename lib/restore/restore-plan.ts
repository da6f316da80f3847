import { ArgumentInvalid } from '../errors.ts'
import type { CatalogTable } from '../postgres/catalog/tables.ts'
import type { TableRef } from '../postgres/identifiers.ts'
import { relativeName } from '../backup/select-tables.ts'
import { describeColumn } from '../snapshot/codec/column-encoding.ts'
import type { Drift, Manifest, ManifestTable } from '../../types/index.ts'

/** A table whose rows are replaced. */
export interface TableToRestore {
  table: CatalogTable
  source: ManifestTable
  /** Columns of the snapshot that the table still has; all of them unless drift was allowed. Generated ones are not loaded. */
  columns: string[]
  /** Those that both generate: their values are compared after the load. */
  generated: string[]
}

/** In one sentence. */
const namesAtMost = 10

export interface PlannedRestore { tables: TableToRestore[], untouched: string[], drift: Drift[] }

/**
 * The restored set: manifest ∩ catalog − excluded tables, and of these the ones asked for. Drift is whatever keeps the rows from
 * going back as they were. Pure. Throws FST_BACKUP_ARGUMENT_INVALID when a table is asked for that the snapshot lacks, or that is excluded.
 */
export function planRestore (manifest: Manifest, catalog: CatalogTable[], schema: string, wanted: string[] | undefined, isExcluded: (table: TableRef) => boolean): PlannedRestore {
  const inCatalog = new Map(catalog.map((table) => [table.name, table]))
  const inManifest = new Set(manifest.tables.map(({ name }) => name))
  for (const name of wanted ?? []) {
    if (!inManifest.has(name)) throw new ArgumentInvalid(`The snapshot holds no table ${name}`)
    if (isExcluded({ schema, name })) throw new ArgumentInvalid(`The table ${name} is excluded, so it is never restored; see the option excludeTables`)
  }
  const drift: Drift[] = []
  const tables: TableToRestore[] = []
  for (const source of manifest.tables) {
    if (isExcluded({ schema, name: source.name }) || wanted?.includes(source.name) === false) continue
    const table = inCatalog.get(source.name)
    if (table === undefined) {
      drift.push({ table: source.name, problem: 'is in the snapshot, and not in the schema' })
      continue
    }
    const present = new Map(table.columns.map(({ name, generated }) => [name, generated]))
    const columns = source.columns.map(({ name }) => name).filter((name) => present.get(name) === false)
    const generated = source.columns.filter((column) => column.generated === true && present.get(column.name) === true).map(({ name }) => name)
    const isLoaded = ({ generated = false }: { generated?: boolean | undefined }): boolean => !generated
    if (columns.length === 0 && (source.columns.some(isLoaded) || table.columns.some(isLoaded))) {
      drift.push({ table: source.name, problem: 'has none of its columns any more' })
      continue
    }
    drift.push(...columnDrift(source, table))
    tables.push({ table, source, columns, generated })
  }
  const restored = new Set(tables.map(({ table }) => table.name))
  return { tables, untouched: catalog.map(({ name }) => name).filter((name) => !restored.has(name)), drift }
}

function columnDrift (source: ManifestTable, { columns }: CatalogTable): Drift[] {
  const drift: Drift[] = []
  const current = new Map(columns.map((column) => [column.name, column]))
  for (const column of source.columns) {
    const now = current.get(column.name)
    if (now === undefined) {
      drift.push({ table: source.name, column: column.name, problem: 'is in the snapshot, and not in the table' })
    } else if (now.generated && column.generated !== true) {
      drift.push({ table: source.name, column: column.name, problem: 'is generated, and was not' })
    } else if (now.type !== column.type || describeColumn(now).encoding !== column.encoding) {
      drift.push({ table: source.name, column: column.name, problem: `was ${column.type}, and is ${now.type}` })
    }
  }
  const known = new Set(source.columns.map(({ name }) => name))
  for (const { name, required } of columns) {
    if (required && !known.has(name)) drift.push({ table: source.name, column: name, problem: 'is new, NOT NULL and has no default' })
  }
  return drift
}

/** Columns whose values a restore replaces by their default, because they came after the snapshot. Pure. */
export function newColumnWarnings (tables: TableToRestore[]): string[] {
  return tables.flatMap(({ table, source }) => {
    const known = new Set(source.columns.map(({ name }) => name))
    const added = table.columns.filter(({ name, generated }) => !generated && !known.has(name)).map(({ name }) => name)
    return added.length === 0 ? [] : [`${table.name} has columns that the snapshot lacks, and every row gets their default: ${added.join(', ')}`]
  })
}

/** What may make the load fail although there is no drift, as far as the manifest tells. Pure. */
export function partitionWarnings (tables: TableToRestore[], schema: string): string[] {
  return tables.flatMap(({ table, source: { name, partitions = [] } }) => {
    const present = new Set(table.relations.map((relation) => relativeName(relation, schema)))
    const gone = partitions.filter((partition) => !present.has(partition))
    if (gone.length === 0) return []
    const named = gone.length > namesAtMost ? [...gone.slice(0, namesAtMost), `${gone.length - namesAtMost} more`] : gone
    return [`${name} had rows in ${named.join(', ')}, which ${gone.length === 1 ? 'is no partition' : 'are no partitions'} of it any more; ` +
      'unless others take these rows, the restore fails']
  })
}

export const driftSummary = (drift: Drift[]): string =>
  drift.map(({ table, column, problem }) => `${column === undefined ? table : `${table}.${column}`} ${problem}`).join('; ')
