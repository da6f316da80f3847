/**
 * A counting semaphore: at most `permits` calls have a permit at the same time. Waiting calls get one in the order of
 * their arrival.
 */
export interface Semaphore {
  /**
   * Resolves when the caller has a permit. If it has to wait, `onWaiting` receives a function that ends the wait: the
   * promise then rejects with the error that is passed to that function.
   */
  acquire: (onWaiting: (cancelWait: (error: Error) => void) => void) => Promise<void>
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
    /** Passes the permit directly to the call that has waited longest. Otherwise a later call could take it. */
    release () {
      const [next] = waiting
      if (next === undefined) free++
      else next()
    }
  }
}

const byPool = new WeakMap<object, Semaphore>()

/**
 * The semaphore of a pool's connections. Runs take long, so they leave one connection free for plans and for other
 * users of the pool. Several engines on one pool share its semaphore.
 */
export function connectionSemaphoreOf (pool: { options: { max: number } }): Semaphore {
  const semaphore = byPool.get(pool) ?? createSemaphore(pool.options.max - 1)
  byPool.set(pool, semaphore)
  return semaphore
}
