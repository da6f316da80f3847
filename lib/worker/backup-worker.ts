import { parentPort, workerData } from 'node:worker_threads'
import { performRun } from './perform-run.ts'
import { prepareThread } from './prepare-thread.ts'

// The entry of a worker thread, which ends when the run has closed the port
await performRun(parentPort, workerData, prepareThread)
