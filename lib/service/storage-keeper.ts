import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createMarkerFile, markerName, parseMarker } from '../storage/marker.ts'
import type { Context } from './context.ts'
import { errorText } from './outcome.ts'
import { rescanStorage } from './rescan-storage.ts'
import { isExpired, renewalMs, requireOwnStorage } from './storage-owner.ts'

/** Longest pause before another attempt, in milliseconds; half of it is left to chance, so that two who met don't meet again. */
const retryMs = 2000

/** Keeps the storage for the log of this service, and adopts what a lost log has left in it. */
export interface StorageKeeper {
  /** Returns at once; goes on until the signal aborts, whatever fails. */
  start: () => void
  /** Gives the storage up, and resolves when all has ended. */
  stop: () => Promise<void>
}

export function createStorageKeeper (context: Context, signal: AbortSignal): StorageKeeper {
  const { log, storage, logger, options } = context
  const holder = randomBytes(4).toString('hex')
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
        pause = retryMs * (1 + Math.random()) / 2
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
    const names = (await storage.list()).map(({ name }) => name)
    await requireOwnStorage(context, names)
    const identity = await log.identify()
    const isFirst = current === undefined
    const name = markerName({ ...identity, holder, renewedAt: Date.now() })
    await publish(name)
    // Another log may have come at the same moment: then both go back, and try again
    if (isFirst) await requireOwnStorage(context).catch(async (error: unknown) => { await release(); throw error })
    for (const old of names.filter(isObsolete)) await storage.remove(old)
  }

  /** One of ours, or of a service that was killed. */
  function isObsolete (name: string): boolean {
    const marker = parseMarker(name)
    return marker !== undefined && (marker.holder === holder || isExpired(marker))
  }

  async function publish (name: string): Promise<void> {
    if (options.storage === undefined) await createMarkerFile(options.storagePath, name)
    else await publishEmpty(name)
    current = name
  }

  async function publishEmpty (name: string): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'fastify-backup-'))
    try {
      const path = join(directory, 'marker')
      await writeFile(path, '', { mode: 0o600 })
      await storage.publish(path, name)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }

  async function release (): Promise<void> {
    if (current !== undefined) await storage.remove(current).catch(() => {})
    current = undefined
  }

  /** The database was lost, and its log with it. */
  async function adopt (): Promise<void> {
    try {
      const isLost = (await log.completed()).length === 0
      const adopted = isLost ? (await rescanStorage(context, { signal })).adopted : []
      if (adopted.length > 0) logger.info({ adopted: adopted.length }, 'the log of backups was empty and the storage was not: its snapshots have been adopted')
      hasLooked = true
    } catch (error) {
      tell(error, 'the snapshots in the storage could not be adopted yet; trying on')
    } finally {
      adopting = undefined
    }
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
