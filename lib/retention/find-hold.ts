import { type GuardedSnapshot, isDoubtful, isFull, newestFirst } from './guarded-snapshot.ts'

/** Which snapshots of a schema are held: neither count nor age prunes them. */
export interface Hold {
  /** The newest suspect that waits, whose acceptance ends the hold; undefined without one. */
  newestSuspect: GuardedSnapshot | undefined
  /** The suspect that the hold began with. */
  firstSuspect: GuardedSnapshot | undefined
  isHeld: (snapshot: GuardedSnapshot) => boolean
}

/**
 * A suspect waits until it is accepted, or until restores have replaced the tables that it names. From the first one that waits on, the full
 * snapshots before it are held that are not suspect. A later full snapshot that is not suspect ends the hold, and so does an acceptance of the
 * newest suspect. Adopted snapshots are held by themselves. Pure.
 */
export function findHold (snapshots: GuardedSnapshot[]): Hold {
  const suspects: GuardedSnapshot[] = []
  for (const snapshot of newestFirst(snapshots).filter(isFull)) {
    if (!isDoubtful(snapshot)) break
    if (!snapshot.answered) suspects.push(snapshot)
  }
  const firstSuspect = suspects.at(-1)
  return {
    newestSuspect: suspects[0],
    firstSuspect,
    isHeld: (snapshot) => snapshot.adopted ||
      (firstSuspect !== undefined && snapshot.ordinal < firstSuspect.ordinal && isFull(snapshot) && !isDoubtful(snapshot))
  }
}
