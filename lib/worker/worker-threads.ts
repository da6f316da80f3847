import { stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { shutdownMs } from '../shutdown.ts'
import type { RunRequest } from './messages.ts'

/**
 * A run allocates little that lasts. V8's default, three semi-spaces of 16 MiB each, would only take memory from the
 * service.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 12 }

/** The worker threads that are running. */
export interface WorkerThreads {
  start: (request: RunRequest) => Worker
  /** Waits for the threads to end, for half a second (shutdownMs.workers), and terminates the others. */
  close: () => Promise<void>
}

/** @param entry the worker's file */
export function createWorkerThreads (entry: URL): WorkerThreads {
  const workers = new Map<Worker, Promise<void>>()
  return {
    start (request) {
      // Without the service's execArgv: a loader or an agent in it would start again in every run
      const worker = new Worker(entry, { workerData: request, execArgv: [], name: 'fastify-backup', resourceLimits })
      workers.set(worker, new Promise((resolve) => {
        worker.once('exit', () => {
          workers.delete(worker)
          resolve()
        })
      }))
      return worker
    },
    async close () {
      await Promise.race([Promise.all(workers.values()), delay(shutdownMs.workers, undefined, { ref: false })])
      await Promise.all([...workers.keys()].map(async (worker) => await worker.terminate()))
    }
  }
}

/**
 * Starts the threads of libuv's pool from this thread. The complete process uses them, and they inherit the priority of
 * the thread that starts them, so a worker, whose priority is low, must not start them (uv_queue_work; init_threads()
 * starts all of them with the first task).
 */
export async function startThreadPool (): Promise<void> {
  await Promise.allSettled([stat('.')])
}
