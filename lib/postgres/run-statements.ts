import type { Transaction } from './driver/transaction.ts'

/** The server parses all statements of a round trip before it runs the first. */
const statementsAtOnce = 100

/** Runs many statements in few round trips; none of their rows is of interest. */
export async function runInChunks (tx: Transaction, statements: string[]): Promise<void> {
  for (let first = 0; first < statements.length; first += statementsAtOnce) {
    await tx.run(statements.slice(first, first + statementsAtOnce).join(';'))
  }
}

/**
 * The same, and `explain` makes the error of the statement that fails: for one that `concerns` it, the statements since
 * the last success run again one by one, to find out which it is. By then all of them are undone.
 */
export async function runAll<Item> (tx: Transaction, items: Item[], toStatement: (item: Item) => string,
  concerns: (error: unknown) => boolean, explain: (item: Item, error: unknown) => Promise<unknown>): Promise<void> {
  for (let first = 0; first < items.length; first += statementsAtOnce) {
    const chunk = items.slice(first, first + statementsAtOnce)
    try {
      await tx.savepoint(async (inner) => { await inner.run(chunk.map(toStatement).join(';')) })
    } catch (error) {
      if (!concerns(error)) throw error
      await runOneByOne(tx, chunk, toStatement, concerns, explain)
    }
  }
}

async function runOneByOne<Item> (tx: Transaction, items: Item[], toStatement: (item: Item) => string,
  concerns: (error: unknown) => boolean, explain: (item: Item, error: unknown) => Promise<unknown>): Promise<void> {
  for (const item of items) {
    try {
      await tx.savepoint(async (inner) => { await inner.run(toStatement(item)) })
    } catch (error) {
      throw concerns(error) ? await explain(item, error) : error
    }
  }
}
