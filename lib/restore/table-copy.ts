import type { CopyIn } from '../postgres/driver/copy-in.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { binaryHeader, binaryTrailer } from '../snapshot/codec/rows-to-binary.ts'

/** A `COPY … FROM STDIN` of binary rows, or of text, or of first binary rows and then text. */
export interface TableCopy extends CopyIn {
  /** Ends the COPY of binary rows, and begins one of text. */
  continueAsText: () => Promise<void>
}

/**
 * Begins to copy rows into a table.
 * @param target of the statement: the table, and the list of its columns
 */
export async function openTableCopy (tx: Transaction, target: string, isBinary: boolean): Promise<TableCopy> {
  const statement = `COPY ${target} FROM STDIN`
  let open: CopyIn | undefined = await tx.copyIn(isBinary ? `${statement} (FORMAT binary)` : statement)
  // Sent with the first rows: if it failed here, nobody could abort the COPY
  let header: Buffer[] = isBinary ? [binaryHeader] : []
  let trailer: Buffer[] = isBinary ? [binaryTrailer] : []
  let stored = 0

  async function write (chunk: Uint8Array): Promise<void> {
    const { write: send } = open as CopyIn
    for (const part of header) await send(part)
    header = []
    await send(chunk)
  }

  async function end (): Promise<number> {
    for (const part of trailer) await write(part)
    stored += await (open as CopyIn).end()
    // Nothing is left that could be aborted
    open = undefined
    return stored
  }

  return {
    write,
    async continueAsText () {
      await end()
      trailer = []
      open = await tx.copyIn(statement)
    },
    end,
    async abort () { await open?.abort() }
  }
}
