import { parentPort, workerData } from 'node:worker_threads'
import { lowerPriority } from './lower-priority.ts'
import { performRun } from './perform-run.ts'

// What a worker starts with. It ends when the run has closed the port
await performRun(parentPort, workerData, lowerPriority)
