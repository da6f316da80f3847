import { parentPort, workerData } from 'node:worker_threads'
import { paceReads } from '../postgres/driver/paced-reads.ts'
import { lowerPriority } from './lower-priority.ts'
import { performRun } from './perform-run.ts'

// The entry of a worker thread, which ends when the run has closed the port
await performRun(parentPort, workerData, () => {
  lowerPriority()
  paceReads()
})
