import type { Question } from '../../lib/worker/messages.ts'

/** The file that a worker thread of the library runs. */
export const builtWorker = new URL('../../lib/worker/backup-worker.js', import.meta.url)

/** Whether tests that don't say otherwise have their runs in workers: with TEST_WORKER=1. */
export const inWorkers = process.env.TEST_WORKER === '1'

/** How a worker comes to grief, and in the place of which message to the main thread. */
export interface Failure {
  /** Its end, or to hear nothing any more. */
  how: 'exit' | 'throw' | 'throwCoded' | 'throwOther' | 'allocate' | 'hang'
  at: Question | 'completed'
  /** The how manyeth of those. @defaultValue 1 */
  time?: number
  /** The message still goes out. @defaultValue false */
  sent?: boolean
}

/** The built worker, which fails so. As a URL of its own, since a file's may say nothing but its path. */
export function failingWorker (failure: Failure): URL {
  const file = new URL('../worker/failing-worker.js', import.meta.url)
  return new URL(`data:text/javascript,import { fail } from ${JSON.stringify(file)}; await fail(${encodeURIComponent(JSON.stringify(failure))})`)
}
