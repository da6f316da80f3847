import { type GuardedSnapshot, isDoubtful, isFull, newestFirst } from './guarded-snapshot.ts'

/** Which snapshots of a schema are held: neither count nor age prunes them. */
export interface Hold {
  /** The newest suspect, whose acceptance ends the hold; undefined without one. */
  newestSuspect: GuardedSnapshot | undefined
  isHeld: (snapshot: GuardedSnapshot) => boolean
}

/**
 * From the first suspect on, the snapshots before it are held that are neither suspect nor partial. A later full snapshot that is not suspect
 * ends the hold, and so does an acceptance of the newest suspect, or a restore. Adopted snapshots are held by themselves. Pure.
 */
export function findHold (snapshots: GuardedSnapshot[]): Hold {
  const suspects: GuardedSnapshot[] = []
  for (const snapshot of newestFirst(snapshots)) {
    if (endsHold(snapshot)) break
    if (isFull(snapshot)) suspects.push(snapshot)
  }
  const first = suspects.at(-1)
  return {
    newestSuspect: suspects[0],
    isHeld: (snapshot) => snapshot.adopted ||
      (first !== undefined && snapshot.ordinal < first.ordinal && !snapshot.partial && !isDoubtful(snapshot))
  }
}

const endsHold = (snapshot: GuardedSnapshot): boolean =>
  snapshot.accepted || snapshot.restored || (isFull(snapshot) && !isDoubtful(snapshot))
