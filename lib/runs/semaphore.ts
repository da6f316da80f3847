/** Room for runs on a pool. */
export interface Places {
  /**
   * Resolves when there is a place; those who wait get theirs in turn. `onWaiting` is called when there is none yet, with a function that
   * ends the wait: the promise rejects with its error.
   */
  take: (onWaiting: (giveUp: (error: Error) => void) => void) => Promise<void>
  give: () => void
}

export function createPlaces (count: number): Places {
  let vacant = count
  const waiting = new Set<() => void>()
  return {
    async take (onWaiting) {
      if (vacant > 0) {
        vacant--
        return
      }
      await new Promise<void>((resolve, reject) => {
        const enter = (): void => {
          waiting.delete(enter)
          resolve()
        }
        waiting.add(enter)
        onWaiting((error) => {
          waiting.delete(enter)
          reject(error)
        })
      })
    },
    /** The place goes straight to who has waited longest, or somebody else could take it. */
    give () {
      const [next] = waiting
      if (next === undefined) vacant++
      else next()
    }
  }
}

const known = new WeakMap<object, Places>()

/**
 * The places of a pool. One connection is kept free of runs, which take long: for plans, and for who else uses the pool. Several engines on one
 * pool share its places.
 */
export function placesOf (pool: { options: { max: number } }): Places {
  const places = known.get(pool) ?? createPlaces(pool.options.max - 1)
  known.set(pool, places)
  return places
}
