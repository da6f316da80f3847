import { randomBytes } from 'node:crypto'
import type { LogIdentity } from '../log/log-identity.ts'
import type { Context } from '../runs/context.ts'
import { createMarkerFile, type Marker, markerName, markerPrefix, parseMarker } from '../storage/marker.ts'
import { publishText } from '../storage/publish-text.ts'
import { findOtherOwner, isExpired, storageTaken } from './storage-ownership.ts'

/** Marks the storage as belonging to this service's log. */
export interface StorageClaim {
  /**
   * Writes a new marker and removes the old ones.
   * @throws FST_BACKUP_STORAGE_TAKEN, FST_BACKUP_STORAGE_MISSING
   */
  renew: () => Promise<void>
  /** Removes the marker of this service. */
  release: () => Promise<void>
}

export function createStorageClaim (context: Context): StorageClaim {
  const { clock, options, presence, storage } = context
  const instance = randomBytes(4).toString('hex')
  const identity = createIdentity(context)
  const otherOwner = createOwnerSearch(context)
  const ownMarker = createOwnMarker(context)

  /** The marker belongs to this service, or to a service that was killed. */
  function isObsolete (name: string): boolean {
    const marker = parseMarker(name)
    return marker !== undefined && (marker.instance === instance || isExpired(marker, clock.now()))
  }

  return {
    async renew () {
      const own = await identity.read()
      const names = await otherOwner.requireNone(own)
      const isFirst = !ownMarker.exists()
      await (options.storage === undefined ? presence.prepare() : presence.require())
      await ownMarker.publish(markerName({ ...own, instance, renewedAt: clock.now().getTime() }))
      if (isFirst) {
        // If another log has claimed the storage at the same time, both release it and retry
        await otherOwner.requireNone(own).catch(async (error: unknown) => {
          otherOwner.forget()
          await ownMarker.remove()
          throw error
        })
      }
      // Ignores failures: a storage that does not allow deletion keeps them
      for (const old of names.filter(isObsolete)) await storage.remove(old).catch(() => {})
    },
    release: ownMarker.remove
  }
}

/** Reads the identity of the log. Remembers it, so that a service can renew its marker while the database is down. */
function createIdentity ({ log }: Context): { read: () => Promise<LogIdentity> } {
  let last: LogIdentity | undefined
  return {
    async read () {
      const identity = await log.identify().catch((error: unknown) => {
        if (last === undefined) throw error
        return last
      })
      last = identity
      return identity
    }
  }
}

/** The marker of this service in the storage. */
interface OwnMarker {
  exists: () => boolean
  publish: (name: string) => Promise<void>
  remove: () => Promise<void>
}

function createOwnMarker ({ options, presence, storage }: Context): OwnMarker {
  let current: string | undefined
  return {
    exists: () => current !== undefined,
    async publish (name) {
      if (options.storage === undefined) await createMarkerFile(options.storagePath, name)
      else await publishText(storage, name, '')
      current = name
      presence.setMarker(name)
    },
    async remove () {
      if (current !== undefined) await storage.remove(current).catch(() => {})
      current = undefined
      presence.setMarker(undefined)
    }
  }
}

interface OwnerSearch {
  /** Returns the markers in the storage. Throws FST_BACKUP_STORAGE_TAKEN when another log owns it. */
  requireNone: (own: LogIdentity) => Promise<string[]>
  /** Forgets the last other owner. */
  forget: () => void
}

/**
 * When the marker of another owner disappears, that service may just be restarting. So the storage stays taken until
 * the marker would have expired.
 */
function createOwnerSearch (context: Context): OwnerSearch {
  let lastSeen: Marker | undefined
  return {
    async requireNone (own) {
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
