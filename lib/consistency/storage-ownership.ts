import { StorageTaken } from '../errors.ts'
import type { LogIdentity } from '../log/log-identity.ts'
import type { Context } from '../runs/context.ts'
import { isMarkerName, type Marker, markerName, markerPrefix, parseMarker } from '../storage/marker.ts'

/** A running service renews its marker this often, in milliseconds. */
export const renewalMs = 60_000
/** A marker that is older than this was left behind by a service that no longer runs: several renewals, and what clocks differ by. */
const expiryMs = 3 * renewalMs

/** Names in the storage, its markers at least. Undefined when the storage does not answer, which proves nothing. */
async function storedNames ({ storage }: Pick<Context, 'storage'>): Promise<string[] | undefined> {
  return await storage.list(markerPrefix).then((stored) => stored.map(({ name }) => name), () => undefined)
}

export const isSameLog = (marker: LogIdentity, own: LogIdentity): boolean =>
  marker.database === own.database && marker.log === own.log

export const isExpired = (marker: Marker, now: Date): boolean => marker.renewedAt + expiryMs < now.getTime()

/**
 * The marker of another log that still exists, if there is one among these names. A log in the same database exists as long as
 * its table does; of a log elsewhere, only the age of its marker shows it.
 */
export async function findOtherOwner (
  { log, clock }: Pick<Context, 'log' | 'clock'>, names: string[], own: LogIdentity
): Promise<Marker | undefined> {
  for (const marker of names.map(parseMarker)) {
    if (marker === undefined || isSameLog(marker, own)) continue
    if (marker.database === own.database ? await log.exists(marker.log) : !isExpired(marker, clock.now())) return marker
  }
}

/** See findOtherOwner(); asks the log for its identity only where there is a marker. */
export async function findOwnerBesides (
  context: Pick<Context, 'log' | 'clock'>, names: string[]
): Promise<Marker | undefined> {
  return names.some(isMarkerName) ? await findOtherOwner(context, names, await context.log.identify()) : undefined
}

export const storageTaken = (owner: Marker): Error =>
  new StorageTaken(markerName(owner), new Date(owner.renewedAt).toISOString())

/**
 * Throws FST_BACKUP_STORAGE_TAKEN when the storage belongs to another log: then nothing in it may be adopted or deleted, and
 * nothing may be added.
 * @param given the names in the storage, where they are known
 */
export async function requireOwnStorage (
  context: Pick<Context, 'log' | 'clock' | 'storage'>, given?: string[]
): Promise<void> {
  const owner = await findOwnerBesides(context, given ?? await storedNames(context) ?? [])
  if (owner !== undefined) throw storageTaken(owner)
}
