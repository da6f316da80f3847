import { StorageTaken } from '../errors.ts'
import type { LogIdentity } from '../log/log-identity.ts'
import { isMarkerName, type Marker, markerName, markerPrefix, parseMarker } from '../storage/marker.ts'
import type { Context } from '../runs/context.ts'

/** A service that runs renews its marker this often, in milliseconds. */
export const renewalMs = 60_000
/** One that was not renewed for so long is of a service that ended without taking it along, in milliseconds. Several renewals, and what clocks differ by. */
const expiryMs = 3 * renewalMs

/** Names in the storage, its markers at least. Undefined when it can't be asked: that is no evidence against anybody. */
async function storedNames ({ storage }: Pick<Context, 'storage'>): Promise<string[] | undefined> {
  return await storage.list(markerPrefix).then((stored) => stored.map(({ name }) => name), () => undefined)
}

export const isSameLog = (marker: LogIdentity, own: LogIdentity): boolean => marker.database === own.database && marker.log === own.log

/**
 * The marker of another log that lives, if there is one among these names. In the same database a log lives as long as its table is there; of one
 * elsewhere only the age of its marker tells.
 */
export async function findRival ({ log }: Pick<Context, 'log'>, names: string[], own: LogIdentity): Promise<Marker | undefined> {
  for (const marker of names.map(parseMarker)) {
    if (marker === undefined || isSameLog(marker, own)) continue
    if (marker.database === own.database ? await log.exists(marker.log) : !isExpired(marker)) return marker
  }
}

export const expiresAt = ({ renewedAt }: Marker): number => renewedAt + expiryMs

/** By the machine's clock, since it is compared with what other machines wrote. */
export const isExpired = (marker: Marker): boolean => expiresAt(marker) < Date.now()

export const takenBy = (rival: Marker): Error => new StorageTaken(markerName(rival), new Date(rival.renewedAt).toISOString())

/** Throws FST_BACKUP_STORAGE_TAKEN when the storage is another's: then nothing in it may be adopted, deleted or added to. */
export async function requireOwnStorage (context: Pick<Context, 'log' | 'storage'>, given?: string[]): Promise<void> {
  const rival = await findOwnRival(context, given ?? await storedNames(context) ?? [])
  if (rival !== undefined) throw takenBy(rival)
}

/** See findRival(). */
export async function findOwnRival (context: Pick<Context, 'log'>, names: string[]): Promise<Marker | undefined> {
  return names.some(isMarkerName) ? await findRival(context, names, await context.log.identify()) : undefined
}
