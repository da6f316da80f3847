import { RestoreFailed, SnapshotInvalid } from '../errors.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import { duringCopyOf } from '../postgres/database-error.ts'
import { createTextCheck } from '../postgres/catalog/encodings.ts'
import { qualifiedName, quoteIdentifier } from '../postgres/identifiers.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { RowTarget, ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { unfaithfulText } from '../backup/lossy-text.ts'
import { readFile } from '../snapshot/read-with-progress.ts'
import type { Progress } from '../../types/index.ts'
import { type GeneratedValues, valuesOf } from './generated-values.ts'
import { loadInOrder, type LoadHooks, type OrderedLoad } from './load-order.ts'
import type { RestoreHooks, RestoreJob } from './restore-job.ts'
import type { TableToRestore } from './restore-plan.ts'
import { type RestoreScope, runsUserCode } from './restore-scope.ts'
import { truncate } from './truncate.ts'

/** By table, the snapshot's values of generated columns. */
export type LoadedValues = Map<TableToRestore, GeneratedValues>

/**
 * Copies the file's rows into the emptied tables. Every table must take as many as were verified, of the very same file.
 *
 * Tables that run user code for each row come last, in a reading of their own: such a function may read any of the others.
 */
export async function loadRows (tx: Transaction, { tables, withUserCode }: RestoreScope, verified: ReadSnapshot, server: ServerFacts, job: RestoreJob, hooks: RestoreHooks): Promise<LoadedValues> {
  const values: LoadedValues = new Map()
  const onProgress = withoutStepsBack(hooks.onProgress)
  const load: OrderedLoad['load'] = async (inner, together, loadHooks) => {
    await loadTables(inner, together, verified, server, job, { ...hooks, onProgress, ...loadHooks }, values)
  }
  const first = tables.filter(({ table }) => !runsUserCode(table, withUserCode))
  const last = tables.filter(({ table }) => runsUserCode(table, withUserCode))
  const unordered: LoadHooks = { onBegun () {}, async onLoaded () {} }
  if (first.length > 0) await load(tx, first, unordered)
  if (last.length === 1) await load(tx, last, unordered)
  else if (last.length > 1) await loadInOrder(tx, last, { load, empty: async (inner, again) => { await empty(inner, again, withUserCode) } })
  return values
}

async function empty (tx: Transaction, tables: TableToRestore[], withUserCode: Set<string>): Promise<void> {
  // TRUNCATE refuses a table for which constraints still wait to be checked
  await tx.run('SET CONSTRAINTS ALL IMMEDIATE')
  await truncate(tx, tables.flatMap(({ table }) => table.relations), withUserCode)
}

async function loadTables (tx: Transaction, tables: TableToRestore[], verified: ReadSnapshot, server: ServerFacts, job: RestoreJob, hooks: RestoreHooks & LoadHooks, values: LoadedValues): Promise<void> {
  const targets = new Map(tables.map((target) => [target.source.name, target]))
  const nothing = async (): Promise<void> => {}
  let current: TableToRestore | undefined
  let finishTable = nothing
  let abandonTable: () => Promise<unknown> = nothing
  try {
    const read = await readFile(hooks, 'load', async ({ name }) => {
      await finishTable()
      const target = targets.get(name)
      current = target
      if (target === undefined) return { keep: () => false, write: nothing }
      hooks.onBegun(target)
      const copy = await tx.copyIn(copyStatement(job.schema, target))
      abandonTable = copy.abort
      finishTable = async () => {
        finishTable = nothing
        abandonTable = nothing
        const count = await copy.end()
        if (count !== target.source.rows) throw new RestoreFailed(`table ${name} took ${count} of ${target.source.rows} rows`)
        await hooks.onLoaded(target)
      }
      return rowTarget(target, faithfully(copy.write, name, server), values)
    })
    await finishTable()
    if (read.checksum !== verified.checksum) throw new SnapshotInvalid('it changed while it was read')
  } catch (error) {
    await abandonTable()
    throw current === undefined ? error : duringCopyOf({ schema: job.schema, name: current.table.name }, error)
  }
}

function rowTarget (target: TableToRestore, write: RowTarget['write'], values: LoadedValues): RowTarget {
  const kept = new Set([...target.columns, ...target.generated])
  const keep: RowTarget['keep'] = ({ name }) => kept.has(name)
  if (target.generated.length === 0) return { keep, write }
  const expected = valuesOf(target)
  values.set(target, expected)
  return { keep, write: async (copyText) => { await write(expected.take(copyText)) } }
}

function faithfully (write: RowTarget['write'], table: string, server: ServerFacts): RowTarget['write'] {
  const isChanged = createTextCheck(server.encoding)
  return isChanged === undefined
    ? write
    : async (copyText) => {
      if (isChanged(copyText)) throw new RestoreFailed(`table ${table} would hold ${unfaithfulText(server)}`)
      await write(copyText)
    }
}

/** A table without a column to load takes no list; the plan sees to it that any other has one. */
function copyStatement (schema: string, { table, columns }: TableToRestore): string {
  const list = columns.length === 0 ? '' : ` (${columns.map(quoteIdentifier).join(', ')})`
  return `COPY ${qualifiedName(schema, table.name)}${list} FROM STDIN`
}

/** A second reading counts again from the start. */
function withoutStepsBack (report: (progress: Progress) => void): (progress: Progress) => void {
  const highest = { tablesDone: 0, rows: 0, bytes: 0 }
  return (progress) => {
    highest.tablesDone = Math.max(highest.tablesDone, progress.tablesDone)
    highest.rows = Math.max(highest.rows, progress.rows)
    highest.bytes = Math.max(highest.bytes, progress.bytes)
    report({ ...progress, ...highest })
  }
}
