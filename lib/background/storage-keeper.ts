import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createMarkerFile, type Marker, markerName, markerPrefix, parseMarker } from '../storage/marker.ts'
import type { LogIdentity } from '../log/log-identity.ts'
import type { Context } from '../runs/context.ts'
import { isOwnError } from '../own-error.ts'
import { errorText } from '../runs/public-error.ts'
import { publishText } from '../storage/publish-text.ts'
import { compareStorage } from '../consistency/compare-storage.ts'
import { findRival, isExpired, renewalMs, takenBy } from '../consistency/storage-ownership.ts'

/** Longest pause before another attempt, in milliseconds; half of it is left to chance, so that two who met don't meet again. */
const retryMs = 2000
/** The same for a storage that somebody has to mount again. */
const missingMs = 10_000

/** Keeps the storage for the log of this service, and adopts what a lost log has left in it. */
export interface StorageKeeper {
  /** Returns at once; goes on until the signal aborts, whatever fails. */
  start: () => void
  /** Gives the storage up, and resolves when all has ended. */
  stop: () => Promise<void>
}

export function createStorageKeeper (context: Context, signal: AbortSignal): StorageKeeper {
  const { log, storage, logger, options, presence } = context
  const holder = randomBytes(4).toString('hex')
  let known: LogIdentity | undefined
  /** The last one that was seen. */
  let rival: Marker | undefined
  /** What is in the storage of ours. */
  let current: string | undefined
  let hasLooked = false
  let told = ''
  let working: Promise<void> | undefined
  let adopting: Promise<void> | undefined

  async function work (): Promise<void> {
    while (!signal.aborted) {
      let pause = renewalMs
      try {
        await renew()
        if (!hasLooked) adopting ??= adopt()
        told = ''
      } catch (error) {
        tell(error, 'this service could not take the storage of backups as its own; while it is another\'s, nothing is scheduled, pruned or adopted; trying on')
        pause = (isOwnError(error, 'STORAGE_MISSING') ? missingMs : retryMs) * (1 + Math.random()) / 2
      }
      await delay(pause, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  /** Once for each reason. */
  function tell (error: unknown, message: string): void {
    const reason = errorText(error)
    if (reason !== told && !signal.aborted) logger.error({ reason }, message)
    told = reason
  }

  async function renew (): Promise<void> {
    const identity = await identify()
    const names = await requireFree(identity)
    const previous = current
    await (options.storage === undefined ? presence.prepare() : presence.require())
    await publish(markerName({ ...identity, holder, renewedAt: Date.now() }))
    if (previous === undefined) {
      // Another log may have come at the same moment: then both go back, and try again
      await requireFree(identity).catch(async (error: unknown) => {
        rival = undefined
        await release()
        throw error
      })
    }
    // Where nothing may be deleted, they stay
    for (const old of names.filter(isObsolete)) await storage.remove(old).catch(() => {})
  }

  /** What lives, renews its marker also while the database does not answer. */
  async function identify (): Promise<LogIdentity> {
    known = await log.identify().catch((error: unknown) => {
      if (known === undefined) throw error
      return known
    })
    return known
  }

  /** Gives what is in the storage. A rival that has gone may be one that is just being started again, so it is waited for as long as one that was killed. */
  async function requireFree (identity: LogIdentity): Promise<string[]> {
    const names = (await storage.list(markerPrefix)).map(({ name }) => name)
    const found = await findRival(context, names, identity)
    rival = found ?? rival
    if (rival !== undefined && (found !== undefined || !isExpired(rival))) throw takenBy(rival)
    return names
  }

  /** One of ours, or of a service that was killed. */
  function isObsolete (name: string): boolean {
    const marker = parseMarker(name)
    return marker !== undefined && (marker.holder === holder || isExpired(marker))
  }

  async function publish (name: string): Promise<void> {
    if (options.storage === undefined) await createMarkerFile(options.storagePath, name)
    else await publishText(storage, name, '')
    current = name
    presence.left(name)
  }

  async function release (): Promise<void> {
    if (current !== undefined) await storage.remove(current).catch(() => {})
    current = undefined
    presence.left(undefined)
  }

  /** The database was lost, and its log with it. */
  async function adopt (): Promise<void> {
    try {
      await context.adoptLost()
      await tellOfStrays()
      hasLooked = true
    } catch (error) {
      tell(error, 'the snapshots in the storage could not be adopted yet; trying on')
    } finally {
      adopting = undefined
    }
  }

  async function tellOfStrays (): Promise<void> {
    const { unknown: files } = await compareStorage(context)
    if (files.length > 0) logger.warn({ files: files.length }, 'files in the storage of backups have no row in the log; rescan() adopts those that are snapshots')
  }

  return {
    start () {
      working ??= work()
    },
    async stop () {
      await working
      await adopting
      await release()
    }
  }
}
