import type { CopyReader } from '../postgres/driver/copy-out.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import { Turns } from './turns.ts'

/** The server parses all statements of a round trip before it runs the first. */
const rangesPerTrip = 50

/** The statements of the range with this index, of which only the last one has rows. */
type StatementsOf = (range: number) => string[]

/**
 * Copies the ranges of a relation by several transactions at the same time. Each one of n reads every nth range, and
 * waits while an earlier range is passed to `reader`: its connection is paused then, and buffers what the server has
 * sent. So `reader` gets the same rows in the same order as from one transaction.
 * @param count of the ranges
 */
export async function copyRanges (
  transactions: Transaction[], count: number, reader: CopyReader, statementsOf: StatementsOf
): Promise<void> {
  reader.begin(0)
  const turns = new Turns()
  const ended = await Promise.allSettled(transactions.map(async (tx, index) => {
    const next = (range: number): number => range + transactions.length
    await copyOwn(tx, { first: index, next, count }, turns, reader, statementsOf).catch((error: unknown) => {
      turns.fail(error)
      throw error
    })
  }))
  if (ended.some(({ status }) => status === 'rejected')) throw turns.error
}

/** The ranges of one transaction. */
interface OwnRanges { first: number, next: (range: number) => number, count: number }

async function copyOwn (
  tx: Transaction, { first, next, count }: OwnRanges, turns: Turns, reader: CopyReader, statementsOf: StatementsOf
): Promise<void> {
  let range = first
  while (range < count) {
    const texts: string[] = []
    const rangeOf = new Map<number, number>()
    for (; rangeOf.size < rangesPerTrip && range < count; range = next(range)) {
      rangeOf.set(texts.push(...statementsOf(range)) - 1, range)
    }
    await copyTrip(tx, texts, rangeOf, turns, reader)
  }
}

/** @param rangeOf by the index of the statement with its rows */
async function copyTrip (
  tx: Transaction, texts: string[], rangeOf: Map<number, number>, turns: Turns, reader: CopyReader
): Promise<void> {
  let open: number | undefined
  const endOpen = (): void => {
    if (open !== undefined) turns.end(open)
    open = undefined
  }
  await tx.copyOut(texts, {
    ...reader,
    begin (statement) {
      endOpen()
      open = rangeOf.get(statement)
    },
    waitForTurn: () => open === undefined ? undefined : turns.take(open)
  })
  endOpen()
}
