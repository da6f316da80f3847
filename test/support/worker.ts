import type { Question } from '../../lib/worker/messages.ts'

/** The compiled entry file of the library's worker threads. */
export const builtWorker = new URL('../../lib/worker/backup-worker.js', import.meta.url)

/** The default of the option worker in tests: true with TEST_WORKER=1. */
export const inWorkers = process.env.TEST_WORKER === '1'

/** How a worker fails, and instead of which message to the main thread. */
export interface Failure {
  /** How it ends; `hang` blocks its event loop. */
  how: 'exit' | 'throw' | 'throwCoded' | 'throwOther' | 'allocate' | 'hang'
  at: Question | 'completed'
  /** The ordinal of the message among those of its type. @defaultValue 1 */
  time?: number
  /** Sends the message before it fails. @defaultValue false */
  sent?: boolean
}

/** A worker that fails. A data: URL, since a file: URL cannot carry arguments. */
export function failingWorker (failure: Failure): URL {
  const file = new URL('../worker/failing-worker.js', import.meta.url)
  const argument = encodeURIComponent(JSON.stringify(failure))
  return new URL(`data:text/javascript,import { fail } from ${JSON.stringify(file)}; await fail(${argument})`)
}
