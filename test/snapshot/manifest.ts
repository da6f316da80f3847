import type { Manifest, ManifestColumn, ManifestTable } from '../../types/index.ts'

export const tableOf = (name: string, columns: ManifestColumn[], rows = 0): ManifestTable => ({ name, rows, columns })

export const manifestOf = (tables: ManifestTable[] = [], rest: Partial<Manifest> = {}): Manifest => ({
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
  checksum: `sha256:${'0'.repeat(64)}`,
  ...rest
})
