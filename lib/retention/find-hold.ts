import { type GuardedSnapshot, isUnaccepted, isFull, newestFirst } from './guarded-snapshot.ts'

/** The held snapshots of a schema, which retention does not remove by count or age. */
export interface Hold {
  /** The newest pending suspect, whose acceptance ends the hold; undefined without a hold. */
  newestSuspect: GuardedSnapshot | undefined
  /** The suspect at which the hold began. */
  firstSuspect: GuardedSnapshot | undefined
  isHeld: (snapshot: GuardedSnapshot) => boolean
}

/**
 * Finds the held snapshots. A suspect is pending until it is accepted, or until restores have replaced the tables that
 * it names. While one is pending, the full snapshots before the first pending one that are not suspect are held. A
 * later full snapshot that is not suspect ends the hold, and so does the acceptance of the newest suspect. Adopted
 * snapshots are held independently of suspects. Pure.
 */
export function findHold (snapshots: GuardedSnapshot[]): Hold {
  const suspects: GuardedSnapshot[] = []
  for (const snapshot of newestFirst(snapshots).filter(isFull)) {
    if (!isUnaccepted(snapshot)) break
    if (!snapshot.isRestored) suspects.push(snapshot)
  }
  const firstSuspect = suspects.at(-1)
  const isBefore = ({ ordinal }: GuardedSnapshot): boolean =>
    firstSuspect !== undefined && ordinal < firstSuspect.ordinal
  return {
    newestSuspect: suspects[0],
    firstSuspect,
    isHeld: (snapshot) => snapshot.adopted || (isBefore(snapshot) && isFull(snapshot) && !isUnaccepted(snapshot))
  }
}
