import { RestoreFailed } from '../errors.ts'
import { isDatabaseError, isUnavailable } from '../postgres/database-error.ts'
import { countScans } from '../postgres/catalog/scan-counts.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { TableToRestore } from './restore-plan.ts'

/** Told of a table as it is begun, and when it has its rows. */
export interface LoadHooks { onBegun: (table: TableToRestore) => void, onLoaded: (table: TableToRestore) => Promise<void> }

export interface OrderedLoad {
  load: (tx: Transaction, tables: TableToRestore[], hooks: LoadHooks) => Promise<void>
  /** Takes their rows away again. */
  empty: (tx: Transaction, tables: TableToRestore[]) => Promise<void>
}

/**
 * Loads tables whose rows run user code, which may read any other of them, in an order in which each finds the rows that it reads.
 *
 * The body of a function does not show what it reads, but the server counts scans. A table whose functions read a table without rows is
 * emptied, and loaded again after that table. So is one whose load failed for this reason. Throws FST_BACKUP_RESTORE_FAILED when tables read each other.
 */
export async function loadInOrder (tx: Transaction, tables: TableToRestore[], { load, empty }: OrderedLoad): Promise<void> {
  const oids = tables.flatMap(({ table }) => table.relations.map(({ oid }) => oid))
  const reads = new Map<TableToRestore, Set<TableToRestore>>(tables.map((table) => [table, new Set()]))
  const loads = new Map<TableToRestore, number>()
  let waiting = tables
  let loaded = 0
  let begun: TableToRestore | undefined
  let scans = new Map<string, number>()

  async function noteReads (by: Transaction, target: TableToRestore): Promise<void> {
    const before = scans
    scans = await countScans(by, oids)
    for (const other of tables) {
      if (other !== target && other.table.relations.some(({ oid }) => scans.get(oid) !== before.get(oid))) reads.get(target)?.add(other)
    }
  }

  const readsOneOf = (target: TableToRestore, others: TableToRestore[]): boolean => others.some((other) => reads.get(target)?.has(other))

  /** All of them or none: one may fail because it reads another that waits. */
  async function tryToLoad (together: TableToRestore[]): Promise<void> {
    // TRUNCATE scans what it empties
    scans = await countScans(tx, oids)
    try {
      await tx.savepoint(async (inner) => {
        await load(inner, together, {
          onBegun (target) { begun = target },
          async onLoaded (target) {
            await noteReads(inner, target)
            loads.set(target, ++loaded)
          }
        })
      })
      waiting = waiting.filter((table) => !together.includes(table))
    } catch (error) {
      if (!isDatabaseError(error) || isUnavailable(error) || begun === undefined) throw error
      await noteReads(tx, begun)
      if (!readsOneOf(begun, waiting)) throw error
    }
  }

  /** Those that read one that waits, or that was loaded after them. They wait from then on, and whatever reads them does. */
  function takeStale (): TableToRestore[] {
    const isLate = (table: TableToRestore, other: TableToRestore): boolean => waiting.includes(other) || Number(loads.get(other)) > Number(loads.get(table))
    const stale = tables.filter((table) => !waiting.includes(table) && tables.some((other) => reads.get(table)?.has(other) === true && isLate(table, other)))
    if (stale.length === 0) return []
    waiting = tables.filter((table) => waiting.includes(table) || stale.includes(table))
    return [...stale, ...takeStale()]
  }

  // The longest chain has all of them, and each may fail once
  for (let round = 0; round < 2 * tables.length + 1; round++) {
    const together = waiting.filter((table) => !readsOneOf(table, waiting))
    if (together.length === 0) break
    await tryToLoad(together)
    const stale = takeStale()
    if (waiting.length === 0) return
    await empty(tx, stale)
  }
  throw new RestoreFailed(`functions in indexes, columns or partition keys of ${waiting.map(({ table }) => table.name).join(', ')} read tables that read these in turn, ` +
    'so that none of them can be loaded after the others')
}
