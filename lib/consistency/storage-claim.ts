import { randomBytes } from 'node:crypto'
import type { LogIdentity } from '../log/log-identity.ts'
import type { Context } from '../runs/context.ts'
import { createMarkerFile, type Marker, markerName, markerPrefix, parseMarker } from '../storage/marker.ts'
import { publishText } from '../storage/publish-text.ts'
import { findOtherOwner, isExpired, storageTaken } from './storage-ownership.ts'

/** Marks the storage as that of this service's log. */
export interface StorageClaim {
  /**
   * Writes a new marker and removes the ones before it.
   * @throws FST_BACKUP_STORAGE_TAKEN, FST_BACKUP_STORAGE_MISSING
   */
  renew: () => Promise<void>
  /** Removes the marker of this service. */
  release: () => Promise<void>
}

export function createStorageClaim (context: Context): StorageClaim {
  const { clock, log, options, presence, storage } = context
  const holder = randomBytes(4).toString('hex')
  const findOwner = createOwnerSearch(context)
  let identity: LogIdentity | undefined
  /** The marker of this service in the storage. */
  let current: string | undefined

  /** A running service renews its marker even while the database does not answer. */
  async function identify (): Promise<LogIdentity> {
    const known = await log.identify().catch((error: unknown) => {
      if (identity === undefined) throw error
      return identity
    })
    identity = known
    return known
  }

  /** A marker of this service, or of a service that was killed. */
  function isObsolete (name: string): boolean {
    const marker = parseMarker(name)
    return marker !== undefined && (marker.holder === holder || isExpired(marker, clock.now()))
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

  return {
    async renew () {
      const own = await identify()
      const names = await findOwner.require(own)
      const isFirst = current === undefined
      await (options.storage === undefined ? presence.prepare() : presence.require())
      await publish(markerName({ ...own, holder, renewedAt: clock.now().getTime() }))
      if (isFirst) {
        // Another log may have claimed the storage at the same moment: then both give it up and try again
        await findOwner.require(own).catch(async (error: unknown) => {
          findOwner.forget()
          await release()
          throw error
        })
      }
      // Where nothing may be deleted, they stay
      for (const old of names.filter(isObsolete)) await storage.remove(old).catch(() => {})
    },
    release
  }
}

interface OwnerSearch {
  /** Gives the markers in the storage. Throws FST_BACKUP_STORAGE_TAKEN. */
  require: (own: LogIdentity) => Promise<string[]>
  /** Forgets the last other owner. */
  forget: () => void
}

/**
 * Another owner whose marker has gone may be a service that is just being restarted, so the storage stays taken until that marker
 * would have expired.
 */
function createOwnerSearch (context: Context): OwnerSearch {
  let lastSeen: Marker | undefined
  return {
    async require (own) {
      const names = (await context.storage.list(markerPrefix)).map(({ name }) => name)
      const found = await findOtherOwner(context, names, own)
      lastSeen = found ?? lastSeen
      const isTaken = found !== undefined || (lastSeen !== undefined && !isExpired(lastSeen, context.clock.now()))
      if (lastSeen !== undefined && isTaken) throw storageTaken(lastSeen)
      return names
    },
    forget () { lastSeen = undefined }
  }
}
