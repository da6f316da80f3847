import { RestoreFailed, SnapshotInvalid } from '../errors.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { duringCopyOf } from '../postgres/database-error.ts'
import { createTextCheck } from '../postgres/catalog/encodings.ts'
import { qualifiedName, quoteIdentifier } from '../postgres/identifiers.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { BinaryColumn } from '../snapshot/codec/binary-encoders.ts'
import type { ReadTable, RowTarget } from '../snapshot/snapshot-reader.ts'
import { describeLossyText } from '../backup/lossy-text.ts'
import { findTableProblems } from '../snapshot/find-problems.ts'
import { createPartsReader, type ReadParts } from '../snapshot/read-with-progress.ts'
import { type GeneratedValues, valuesOf } from './generated-values.ts'
import { binaryColumns } from './binary-columns.ts'
import { loadInOrder, type LoadHooks, type OrderedLoad } from './load-order.ts'
import type { RestoreContext } from './restore-job.ts'
import type { TableToRestore } from './restore-plan.ts'
import { type RestoreScope, runsUserCode } from './restore-scope.ts'
import { openTableCopy } from './table-copy.ts'
import { truncate } from './truncate.ts'

/** For each table with generated columns, their values in the snapshot. */
export type LoadedValues = Map<TableToRestore, GeneratedValues>

/** The two steps of a load. */
export interface Load {
  /** Loads the tables whose rows run no user code. */
  loadPlain: (tx: Transaction) => Promise<void>
  /** Loads the others, and reads the file again for them: their code may read any of the other tables. */
  loadWithUserCode: (tx: Transaction) => Promise<void>
  values: LoadedValues
}

/**
 * Copies the rows of the tables from the file into the emptied tables. The file may have been exchanged since it was
 * verified, so the rows of each table are compared again with their checksum and number in the manifest.
 */
export function prepareLoad ({ tables, withUserCode }: RestoreScope, context: RestoreContext): Load {
  const values: LoadedValues = new Map()
  const read = createPartsReader(context.hooks, 'load', tables.map(({ recorded }) => recorded))
  const load: OrderedLoad['load'] = async (inner, together, loadHooks) => {
    await loadTables(inner, together, { read, context, loadHooks, values, binaryOf })
  }
  const empty: OrderedLoad['empty'] = async (inner, again) => {
    // TRUNCATE fails on a table that has pending trigger events, such as deferred constraints
    await inner.run('SET CONSTRAINTS ALL IMMEDIATE')
    await truncate(inner, again.flatMap(({ table }) => table.relations), withUserCode)
  }
  /** User code could see the rows of the first COPY of its table in the second one. */
  const binaryOf: LoadParts['binaryOf'] = (target) =>
    runsUserCode(target.table, withUserCode) ? undefined : binaryColumns(target, context.server)
  const first = tables.filter(({ table }) => !runsUserCode(table, withUserCode))
  const last = tables.filter(({ table }) => runsUserCode(table, withUserCode))
  const unordered: LoadHooks = { onBegun () {}, async onLoaded () {} }
  return {
    async loadPlain (tx) { if (first.length > 0) await load(tx, first, unordered) },
    async loadWithUserCode (tx) {
      if (last.length === 1) await load(tx, last, unordered)
      else if (last.length > 1) await loadInOrder(tx, last, { load, empty })
    },
    values
  }
}

interface LoadParts {
  read: ReadParts
  context: RestoreContext
  loadHooks: LoadHooks
  values: LoadedValues
  binaryOf: (target: TableToRestore) => BinaryColumn[] | undefined
}

async function loadTables (
  tx: Transaction, tables: TableToRestore[], { read, context: { server, job }, loadHooks, values, binaryOf }: LoadParts
): Promise<void> {
  const targets = new Map(tables.map((target) => [target.recorded, target]))
  const nothing = async (): Promise<void> => {}
  let current: TableToRestore | undefined
  let abortTable: () => Promise<unknown> = nothing
  try {
    await read([...targets.keys()], async (recorded) => {
      const target = targets.get(recorded) as TableToRestore
      current = target
      loadHooks.onBegun(target)
      // Generated values and text in other encodings are checked as COPY text: then there are no binary columns
      const columns = binaryOf(target)
      const copy = await openTableCopy(tx, copyTarget(job.schema, target), columns !== undefined)
      abortTable = copy.abort
      return {
        ...rowTarget(target, checkingText(copy.write, recorded.name, server), values),
        ...columns && { binary: { columns, continueAsText: copy.continueAsText } },
        async end (table) {
          // An abort makes end() reject before it ends the COPY, and no ROLLBACK could follow
          const count = await copy.end()
          abortTable = nothing
          const { rows, name } = recorded
          if (count !== rows) throw new RestoreFailed(`COPY stored ${count} of ${rows} rows in table ${name}`)
          requireUnchanged(table)
          await loadHooks.onLoaded(target)
        }
      }
    })
  } catch (error) {
    await abortTable()
    throw current === undefined ? error : duringCopyOf({ schema: job.schema, name: current.table.name }, error)
  }
}

function requireUnchanged (table: ReadTable): void {
  if (findTableProblems([table]).length > 0) throw new SnapshotInvalid('it changed while it was read')
}

function rowTarget (target: TableToRestore, write: RowTarget['write'], values: LoadedValues): RowTarget {
  const kept = new Set([...target.columns, ...target.generated])
  const keep: RowTarget['keep'] = ({ name }) => kept.has(name)
  if (target.generated.length === 0) return { keep, write }
  const expected = valuesOf(target)
  values.set(target, expected)
  return { keep, write: async (copyText) => { await write(expected.add(copyText)) } }
}

/** Throws FST_BACKUP_RESTORE_FAILED for text that the conversion to the database's encoding and back would change. */
function checkingText (write: RowTarget['write'], table: string, server: ServerFacts): RowTarget['write'] {
  const isChanged = createTextCheck(server.encoding)
  if (isChanged === undefined) return write
  return async (copyText) => {
    if (isChanged(copyText)) throw new RestoreFailed(`table ${table} would contain ${describeLossyText(server)}`)
    await write(copyText)
  }
}

/** Without a list of columns if the table has no columns to load: then it has none at all, as planTables() ensures. */
function copyTarget (schema: string, { table, columns }: TableToRestore): string {
  const list = columns.length === 0 ? '' : ` (${columns.map(quoteIdentifier).join(', ')})`
  return `${qualifiedName(schema, table.name)}${list}`
}
