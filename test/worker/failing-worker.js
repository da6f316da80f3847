import { parentPort } from 'node:worker_threads'

/** @satisfies {Record<string, () => void>} */
const ends = {
  exit () { process.exit(3) },
  throw () { setImmediate(() => { throw new RangeError('hunter2') }) },
  throwCoded () { setImmediate(() => { throw Object.assign(new Error('hunter2'), { code: 'ERR_OF_OURS' }) }) },
  throwOther () {
    setImmediate(() => {
      // eslint-disable-next-line no-throw-literal -- a thrown value that is not an error is tested
      throw 'hunter2'
    })
  },
  allocate () {
    const kept = []
    for (;;) kept.push(new Array(10_000).fill({}))
  },
  // Handles no message any more
  hang () { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) }
}

/**
 * Runs the worker of the library and makes it fail.
 * @param {import('../support/worker.ts').Failure} failure
 */
export async function fail ({ how, at, time = 1, sent = false }) {
  const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort)
  const postMessage = port.postMessage.bind(port)
  let times = 0
  /** @param {import('../../lib/worker/messages.ts').FromWorker} message */
  port.postMessage = (message) => {
    const isDue = (message.type === 'question' ? message.question : message.type) === at && ++times === time
    if (!isDue || sent) postMessage(message)
    if (isDue) ends[how]()
  }

  await import('../../lib/worker/backup-worker.ts')
}
