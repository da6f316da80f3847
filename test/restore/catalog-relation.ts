import type { CatalogRelation } from '../../lib/postgres/catalog/tables.ts'

/** An ordinary table that the role owns, as the catalog describes it. */
export const catalogRelation = (oid: string, schema: string, name: string): CatalogRelation => ({
  oid,
  schema,
  name,
  kind: 'r',
  filenode: null,
  currentFilenode: null,
  owned: true,
  estimatedRows: null,
  selectable: true,
  reachable: true,
  hidesRows: false,
  forcesRowSecurity: false,
  generates: []
})
