/** Calls that are not answered yet: app.close() waits for the requests that wait for them. */
export interface Calls {
  /** Settles with `call`, or rejects when it is given up first. */
  track: <T>(call: Promise<T>) => Promise<T>
  /** Resolves when all of those up to now have settled. */
  answered: () => Promise<void>
  /** Rejects those that have not; what they wait for goes on. */
  giveUp: (reason: Error) => void
}

export function createCalls (): Calls {
  const pending = new Map<Promise<unknown>, (reason: Error) => void>()
  return {
    async track (call) {
      try {
        return await new Promise((resolve, reject) => {
          pending.set(call, reject)
          call.then(resolve, reject)
        })
      } finally {
        pending.delete(call)
      }
    },
    async answered () {
      await Promise.allSettled(pending.keys())
    },
    giveUp (reason) {
      for (const reject of pending.values()) reject(reason)
    }
  }
}
