/**
 * The maximum duration of each step of a shutdown, in milliseconds. The sum is less than the 5 s that the README
 * promises and than the 10 s that Fastify allows a hook (its option pluginTimeout).
 */
export const shutdownMs = {
  /** Aborted runs end, and their calls reject. */
  runs: 3000,
  /** Workers close their connections; afterwards the remaining workers are terminated. */
  workers: 500,
  /** The runs of terminated workers are recorded as failed in the log. */
  failures: 500,
  /** The pools close their connections. */
  connections: 500
}

/**
 * Resolves when `work` does, or after `ms` milliseconds: a database that no longer responds must not delay app.close().
 * Rejects when `work` rejects before.
 */
export async function within (ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([work, new Promise((resolve) => { timer = setTimeout(resolve, ms) })])
  } finally {
    clearTimeout(timer)
  }
}
