import { StorageTaken } from '../errors.ts'
import type { LogIdentity } from '../log/log-identity.ts'
import type { Context } from '../runs/context.ts'
import { isMarkerName, type Marker, markerName, markerPrefix, parseMarker } from '../storage/marker.ts'

/** Milliseconds after which a running service renews its marker. */
export const renewalMs = 60_000
/** The service of an older marker no longer runs. Allows for missed renewals, and for clocks that differ. */
const expiryMs = 3 * renewalMs

/**
 * The markers in the storage, and perhaps other names. Undefined when the storage does not answer, which does not show
 * that it belongs to another log.
 */
async function storedNames ({ storage }: Pick<Context, 'storage'>): Promise<string[] | undefined> {
  return await storage.list(markerPrefix).then((stored) => stored.map(({ name }) => name), () => undefined)
}

export const isSameLog = (marker: LogIdentity, own: LogIdentity): boolean =>
  marker.database === own.database && marker.log === own.log

/** `now` must be the time of a real clock: other machines wrote the time of the marker. */
export const isExpired = (marker: Marker, now: Date): boolean => marker.renewedAt + expiryMs < now.getTime()

/**
 * The marker of another log that still exists, if these names contain one. A log in the same database exists while its
 * table exists. For a log in another database, only the age of its marker shows whether it exists.
 */
export async function findOtherOwner (
  { log, clock }: Pick<Context, 'log' | 'clock'>, names: string[], own: LogIdentity
): Promise<Marker | undefined> {
  for (const marker of names.map(parseMarker)) {
    if (marker === undefined || isSameLog(marker, own)) continue
    if (marker.database === own.database ? await log.exists(marker.log) : !isExpired(marker, clock.now())) return marker
  }
}

/** Like findOtherOwner(). Reads the identity of the log only when the names contain a marker. */
export async function findOwnerBesides (
  context: Pick<Context, 'log' | 'clock'>, names: string[]
): Promise<Marker | undefined> {
  return names.some(isMarkerName) ? await findOtherOwner(context, names, await context.log.identify()) : undefined
}

export const storageTaken = (owner: Marker): Error =>
  new StorageTaken(markerName(owner), new Date(owner.renewedAt).toISOString())

/**
 * When the storage belongs to another log, this service must not adopt, delete or add files.
 * @param given the names in the storage, if they are known
 * @throws FST_BACKUP_STORAGE_TAKEN
 */
export async function requireOwnStorage (
  context: Pick<Context, 'log' | 'clock' | 'storage'>, given?: string[]
): Promise<void> {
  const owner = await findOwnerBesides(context, given ?? await storedNames(context) ?? [])
  if (owner !== undefined) throw storageTaken(owner)
}
