import { RestoreFailed, SnapshotInvalid } from '../errors.ts'
import { duringCopyOf } from '../postgres/database-error.ts'
import { qualifiedName, quoteIdentifier } from '../postgres/identifiers.ts'
import type { Transaction } from '../postgres/transaction.ts'
import type { ReadSnapshot } from '../snapshot/snapshot-reader.ts'
import { readFile } from '../snapshot/read-file.ts'
import type { RestoreHooks, RestoreJob } from './restore-job.ts'
import type { TableToRestore } from './restore-plan.ts'

/** Copies the file's rows into the emptied tables. Every table must take as many as were verified, of the very same file. */
export async function loadRows (tx: Transaction, tables: TableToRestore[], verified: ReadSnapshot, job: RestoreJob, hooks: RestoreHooks): Promise<void> {
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
      const copy = await tx.copyIn(copyStatement(job.schema, target))
      abandonTable = copy.abort
      finishTable = async () => {
        finishTable = nothing
        abandonTable = nothing
        const count = await copy.end()
        if (count !== target.source.rows) throw new RestoreFailed(`table ${name} took ${count} of ${target.source.rows} rows`)
      }
      const kept = new Set(target.columns)
      return { keep: (column) => kept.has(column.name), write: copy.write }
    })
    await finishTable()
    if (read.checksum !== verified.checksum) throw new SnapshotInvalid('it changed while it was read')
  } catch (error) {
    await abandonTable()
    throw current === undefined ? error : duringCopyOf({ schema: job.schema, name: current.table.name }, error)
  }
}

function copyStatement (schema: string, { table, columns }: TableToRestore): string {
  const list = columns.length === 0 ? '' : ` (${columns.map(quoteIdentifier).join(', ')})`
  return `COPY ${qualifiedName(schema, table.name)}${list} FROM STDIN`
}
