import type { Transaction } from './driver/transaction.ts'

/** The server parses all statements of a round trip before it runs the first. */
const statementsPerTrip = 100

/** Runs many statements in few round trips and ignores their rows. */
export async function runInChunks (tx: Transaction, statements: string[]): Promise<void> {
  for (let first = 0; first < statements.length; first += statementsPerTrip) {
    await tx.run(statements.slice(first, first + statementsPerTrip).join(';'))
  }
}

/** How runAll() reports a statement that fails. */
export interface Explanation<Item> {
  /** Whether `explain` can explain the error. */
  concerns: (error: unknown) => boolean
  /** Resolves with the error to throw for the item whose statement failed. */
  explain: (item: Item, error: unknown) => Promise<unknown>
}

/**
 * Runs a statement for each item, in few round trips. When one fails with an error that `concerns` accepts, the
 * statements of its round trip are undone and run again one by one, to find the one that fails.
 */
export async function runAll<Item> (
  tx: Transaction, items: Item[], toStatement: (item: Item) => string, explanation: Explanation<Item>
): Promise<void> {
  for (let first = 0; first < items.length; first += statementsPerTrip) {
    const chunk = items.slice(first, first + statementsPerTrip)
    try {
      await tx.savepoint(async (inner) => { await inner.run(chunk.map(toStatement).join(';')) })
    } catch (error) {
      if (!explanation.concerns(error)) throw error
      await runOneByOne(tx, chunk, toStatement, explanation)
    }
  }
}

async function runOneByOne<Item> (
  tx: Transaction, items: Item[], toStatement: (item: Item) => string, { concerns, explain }: Explanation<Item>
): Promise<void> {
  for (const item of items) {
    try {
      await tx.savepoint(async (inner) => { await inner.run(toStatement(item)) })
    } catch (error) {
      throw concerns(error) ? await explain(item, error) : error
    }
  }
}
