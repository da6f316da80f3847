/** A counting semaphore: at most so many holders at a time; those that wait are served in turn. */
export interface Semaphore {
  /**
   * Resolves when the caller is a holder. When it has to wait, `onWaiting` is called with a function that ends the wait:
   * the promise then rejects with the error that is passed to that function.
   */
  acquire: (onWaiting: (abandon: (error: Error) => void) => void) => Promise<void>
  release: () => void
}

export function createSemaphore (permits: number): Semaphore {
  let free = permits
  const waiting = new Set<() => void>()
  return {
    async acquire (onWaiting) {
      if (free > 0) {
        free--
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
    /** Hands the permit directly to the one that has waited longest, or a newcomer could take it. */
    release () {
      const [next] = waiting
      if (next === undefined) free++
      else next()
    }
  }
}

const byPool = new WeakMap<object, Semaphore>()

/**
 * The semaphore of a pool's connections. One connection stays free of runs, which take long: for plans, and for other users of
 * the pool. Several engines on one pool share its semaphore.
 */
export function connectionSemaphoreOf (pool: { options: { max: number } }): Semaphore {
  const semaphore = byPool.get(pool) ?? createSemaphore(pool.options.max - 1)
  byPool.set(pool, semaphore)
  return semaphore
}
