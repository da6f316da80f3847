/** The worker's file of the built library: a worker that had to compile TypeScript would take seconds to start. */
export const builtWorker = new URL('../../dist/lib/worker/worker-entry.js', import.meta.url)

/** Whether tests that don't say otherwise have their runs in workers: with TEST_WORKER=1. Those run what was built last, and count for no coverage. */
export const inWorkers = process.env.TEST_WORKER === '1'
