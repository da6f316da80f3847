import type { CopyIn } from '../postgres/driver/copy-in.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { fileHeader, fileTrailer } from '../snapshot/codec/binary-format.ts'

/** The load of one table: one COPY, or one of binary rows and then one of text. */
export interface TableCopy extends CopyIn {
  /** Ends the COPY of binary rows, and begins one of text. */
  continueAsText: () => Promise<void>
  /** Ends the COPY, and returns the number of rows that both statements stored. */
  end: () => Promise<number>
}

/**
 * Begins to copy rows into a table.
 * @param target of the statement: the table, and the list of its columns
 */
export async function openTableCopy (tx: Transaction, target: string, isBinary: boolean): Promise<TableCopy> {
  const statement = `COPY ${target} FROM STDIN`
  let open: CopyIn | undefined = await tx.copyIn(isBinary ? `${statement} (FORMAT binary)` : statement)
  // Sent with the first rows: the caller can abort the COPY only after this function has returned
  let header = isBinary ? fileHeader : undefined
  let trailer = isBinary ? fileTrailer : undefined
  let stored = 0

  async function write (chunk: Uint8Array): Promise<void> {
    const copy = open as CopyIn
    if (header !== undefined) await copy.write(header)
    header = undefined
    await copy.write(chunk)
  }

  async function endCurrent (): Promise<void> {
    if (trailer !== undefined) await write(trailer)
    trailer = undefined
    stored += await (open as CopyIn).end()
    // Nothing is left that could be aborted
    open = undefined
  }

  return {
    write,
    async continueAsText () {
      await endCurrent()
      open = await tx.copyIn(statement)
    },
    async end () {
      await endCurrent()
      return stored
    },
    async abort () { await open?.abort() }
  }
}
