import type { CatalogTable } from '../postgres/catalog/tables.ts'
import type { PageRange } from '../postgres/copy-query.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'

/** So many ranges of `step` pages. */
export interface PageRanges { count: number, step: number }

/** By the oid of the relation. */
export type RelationRanges = Map<string, PageRanges>

/** Bytes of table and TOAST in one range: the text of a range so fits the buffers of a connection, more or less. */
const bytesPerRange = 2 * 1024 * 1024
/** Smaller relations are read at once, together with others. */
const smallest = 4 * bytesPerRange

/** Sizes in pages, and bytes. */
interface RelationSize { oid: string, pages: number, bytes: number }

/**
 * Divides large relations into ranges of pages for several connections. Only those of the access method heap, which
 * finds rows by their page, in the order of a scan.
 *
 * Pages that are added after the snapshot have no row that it sees. The last range has no end all the same.
 */
export async function planRanges (tx: Transaction, tables: CatalogTable[]): Promise<RelationRanges> {
  const oids = tables.filter(isPlain).flatMap(({ relations }) =>
    relations.filter(({ kind, generates }) => kind === 'r' && generates.length === 0).map(({ oid }) => oid))
  const sizes = await tx.query<RelationSize>(`
    SELECT c.oid::text, pg_relation_size(c.oid) / current_setting('block_size')::int8 AS pages,
      pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) AS bytes
    FROM pg_class c JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'heap' AND c.oid IN (SELECT value::oid FROM json_array_elements_text($1::text::json))`,
  [JSON.stringify(oids)])
  return new Map(sizes.filter(({ bytes }) => bytes >= smallest).map((size) => [size.oid, dividePages(size)]))
}

/** COPY accepts no empty list of columns, and generated columns need a query of their own. */
const isPlain = ({ columns }: CatalogTable): boolean =>
  columns.length > 0 && !columns.some(({ generated }) => generated)

function dividePages ({ pages, bytes }: RelationSize): PageRanges {
  const step = Math.max(1, Math.round(pages * bytesPerRange / bytes))
  return { count: Math.max(1, Math.ceil(pages / step)), step }
}

/** The range with this index, from 0. */
export const pageRange = ({ count, step }: PageRanges, index: number): PageRange =>
  ({ first: index * step, end: index === count - 1 ? undefined : (index + 1) * step })
