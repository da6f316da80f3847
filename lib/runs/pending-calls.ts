/** Calls that have not settled. app.close() waits for the requests that wait for them. */
export interface PendingCalls {
  /** Settles like `call`, or rejects when rejectAll() is called first. */
  track: <T>(call: Promise<T>) => Promise<T>
  /** Resolves when all calls that are pending now have settled. */
  settled: () => Promise<void>
  /** Rejects the calls that have not settled. Does not stop the work behind them. */
  rejectAll: (reason: Error) => void
}

export function createPendingCalls (): PendingCalls {
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
    async settled () {
      await Promise.allSettled(pending.keys())
    },
    rejectAll (reason) {
      for (const reject of pending.values()) reject(reason)
    }
  }
}
