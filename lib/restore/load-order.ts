import { RestoreFailed } from '../errors.ts'
import { isDatabaseError, isUnavailable } from '../postgres/database-error.ts'
import { countScans } from '../postgres/catalog/scan-counts.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { TableToRestore } from './restore-plan.ts'

export interface LoadHooks {
  /** Called before the first row of a table. */
  onBegun: (table: TableToRestore) => void
  /** Called after the last row of a table. */
  onLoaded: (table: TableToRestore) => Promise<void>
}

export interface OrderedLoad {
  load: (tx: Transaction, tables: TableToRestore[], hooks: LoadHooks) => Promise<void>
  /** Removes the rows that were loaded into these tables. */
  empty: (tx: Transaction, tables: TableToRestore[]) => Promise<void>
}

/**
 * Loads tables whose rows run user code. That code may read any other of these tables, so each table has to be loaded
 * after the tables that its code reads.
 *
 * The body of a function does not show which tables it reads, but the server counts scans. If the functions of a table
 * read a table that has no rows yet, the table is emptied and loaded again after the other one. The same applies if
 * its load failed for this reason.
 * @throws FST_BACKUP_RESTORE_FAILED when the functions of tables read each other's tables in a cycle
 */
export async function loadInOrder (
  tx: Transaction, tables: TableToRestore[], { load, empty }: OrderedLoad
): Promise<void> {
  const reads = createReadRecord(tables)
  const order = createLoadOrder(tables, reads)
  let begun: TableToRestore | undefined

  /** Loads all of the tables or none: a load may fail because it reads a table that waits. */
  async function tryToLoad (together: TableToRestore[]): Promise<void> {
    // TRUNCATE scans the tables that it empties
    await reads.reset(tx)
    try {
      await tx.savepoint(async (inner) => {
        await load(inner, together, {
          onBegun (target) { begun = target },
          async onLoaded (target) {
            await reads.record(inner, target)
            order.recordLoaded(target)
          }
        })
      })
      order.stopWaiting(together)
    } catch (error) {
      if (!isDatabaseError(error) || isUnavailable(error) || begun === undefined) throw error
      await reads.record(tx, begun)
      if (!order.readsWaiting(begun)) throw error
    }
  }

  // The longest possible chain contains every table, and each may fail once
  for (let round = 0; round < 2 * tables.length + 1; round++) {
    const together = order.waiting().filter((table) => !order.readsWaiting(table))
    if (together.length === 0) break
    await tryToLoad(together)
    const stale = order.takeStale()
    if (order.waiting().length === 0) return
    await empty(tx, stale)
  }
  const names = order.waiting().map(({ table }) => table.name).join(', ')
  throw new RestoreFailed(`functions in indexes, columns or partition keys of ${names} read tables whose own ` +
    'functions read these tables in turn, so no order exists in which they can be loaded')
}

/** Which of the tables the functions of each table read. */
interface ReadRecord {
  /** Ignores all scans so far. */
  reset: (tx: Transaction) => Promise<void>
  /** Attributes all scans since the last call to the functions of `target`. */
  record: (tx: Transaction, target: TableToRestore) => Promise<void>
  reads: (target: TableToRestore, other: TableToRestore) => boolean
}

function createReadRecord (tables: TableToRestore[]): ReadRecord {
  const oids = tables.flatMap(({ table }) => table.relations.map(({ oid }) => oid))
  const read = new Map<TableToRestore, Set<TableToRestore>>(tables.map((table) => [table, new Set()]))
  let scans = new Map<string, number>()
  return {
    async reset (tx) { scans = await countScans(tx, oids) },
    async record (tx, target) {
      const before = scans
      scans = await countScans(tx, oids)
      for (const other of tables) {
        const isRead = other.table.relations.some(({ oid }) => scans.get(oid) !== before.get(oid))
        if (other !== target && isRead) read.get(target)?.add(other)
      }
    },
    reads: (target, other) => read.get(target)?.has(other) === true
  }
}

interface LoadOrder {
  /** The tables that are still to be loaded, in the order of the snapshot. */
  waiting: () => TableToRestore[]
  /** Whether the functions of the table read one that waits. */
  readsWaiting: (table: TableToRestore) => boolean
  recordLoaded: (table: TableToRestore) => void
  stopWaiting: (tables: TableToRestore[]) => void
  /**
   * The loaded tables that read a table that waits, or one that was loaded after them, and the tables that read these.
   * From then on they wait, too.
   */
  takeStale: () => TableToRestore[]
}

function createLoadOrder (tables: TableToRestore[], { reads }: ReadRecord): LoadOrder {
  const positions = new Map<TableToRestore, number>()
  let waiting = tables
  let loaded = 0

  const isLater = (other: TableToRestore, table: TableToRestore): boolean =>
    waiting.includes(other) || Number(positions.get(other)) > Number(positions.get(table))

  const isStale = (table: TableToRestore): boolean =>
    !waiting.includes(table) && tables.some((other) => reads(table, other) && isLater(other, table))

  function takeStale (): TableToRestore[] {
    const stale = tables.filter(isStale)
    if (stale.length === 0) return []
    waiting = tables.filter((table) => waiting.includes(table) || stale.includes(table))
    return [...stale, ...takeStale()]
  }

  return {
    waiting: () => waiting,
    readsWaiting: (table) => waiting.some((other) => reads(table, other)),
    recordLoaded (table) { positions.set(table, ++loaded) },
    stopWaiting (together) { waiting = waiting.filter((table) => !together.includes(table)) },
    takeStale
  }
}
