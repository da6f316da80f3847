import type { ManifestDraft, TableDraft } from '../../lib/snapshot/file-format.ts'
import type { Manifest, ManifestColumn } from '../../types/index.ts'

export const tableOf = (name: string, columns: ManifestColumn[], rows = 0): TableDraft => ({ name, rows, columns })

/** The manifest of a snapshot that is to be written. */
export const draftOf = (tables: TableDraft[] = [], rest: Partial<Omit<Manifest, 'tables'>> = {}): ManifestDraft => ({
  version: 1,
  id: '0b7c3f0e-6a57-4a5e-9a1e-0d5f1c2b3a49',
  schema: 'public',
  createdAt: '2026-11-22T17:45:00.123Z',
  trigger: 'manual',
  note: null,
  database: 'shop',
  postgres: '18.4',
  tables,
  sequences: [],
  totalRows: tables.reduce((sum, { rows }) => sum + rows, 0),
  totalTables: tables.length,
  ...rest
})

const checksum = `sha256:${'0'.repeat(64)}`

/** A manifest whose positions and checksums are those of no file. */
export const manifestOf = (tables: TableDraft[] = [], rest: Partial<Omit<Manifest, 'tables'>> = {}): Manifest => ({
  ...draftOf(tables, rest),
  tables: tables.map((table) => ({ offset: 0, bytes: 2, checksum, ...table })),
  checksum
})
