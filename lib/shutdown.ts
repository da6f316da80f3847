/**
 * Milliseconds for each step of a shutdown. Together they stay below the 5 s that the README promises, and below the 10 s
 * that Fastify grants a hook (its option pluginTimeout).
 */
export const shutdownMs = {
  /** Aborted runs end, and callers get their errors. */
  runs: 3000,
  /** Workers close their connections; those that have not are terminated. */
  workers: 500,
  /** The log records the runs of terminated workers as failed. */
  failures: 500,
  /** The connections of the pools end. */
  connections: 500
}

/** Resolves with `work`, or after `ms` milliseconds: a database that no longer answers must not delay app.close(). */
export async function within (ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise((resolve) => { timer = setTimeout(resolve, ms) })])
  clearTimeout(timer)
}
