/**
 * A task that runs once at a time. A call during a run leads to one more run, so that no result is older than the call.
 *
 * @returns starts the task; resolves after a run that began after the call
 */
export function oneAtATime (task: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | null = null
  let next: Promise<void> | null = null
  const run = (): Promise<void> => {
    next = null
    current = task().finally(() => { current = next })
    return current
  }
  return () => {
    if (current === null) return run()
    next ??= current.then(run, run)
    return next
  }
}

export interface Throttled {
  /** Runs the action now, or as soon as the pause since the last time is over. */
  call: () => void
  /** Forgets a call that waits. */
  cancel: () => void
}

/** An action that runs at most once in so many milliseconds. */
export function throttle (action: () => void, pauseMs: number): Throttled {
  let last = -Infinity
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    call () {
      timer ??= setTimeout(() => {
        timer = undefined
        last = performance.now()
        action()
      }, Math.max(0, last + pauseMs - performance.now()))
    },
    cancel () {
      clearTimeout(timer)
      timer = undefined
    }
  }
}
