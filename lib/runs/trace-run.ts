import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { Backup, RunCounts, RunTrace, TracedRun } from '../../types/index.ts'
import { publicError } from './public-error.ts'

const channels: Record<TracedRun, TracingChannel<unknown, RunTrace>> = {
  create: tracingChannel('fastify-backup.create'),
  restore: tracingChannel('fastify-backup.restore'),
  verify: tracingChannel('fastify-backup.verify'),
  import: tracingChannel('fastify-backup.import'),
  prune: tracingChannel('fastify-backup.prune')
}

/** What subscribers of a channel receive about a run, and how it is described. */
interface Trace<T> {
  context: RunTrace
  /** The counts of the result. Never data of rows. */
  summarize: (result: T) => RunCounts
  /** Whether an error means that there was nothing to do. Then the run ends without a result and without an error. */
  isSkipped?: (error: unknown) => boolean
}

/** Performs a run and reports it on its tracing channel. Rejects with public errors, except those that are skipped. */
export async function traceRun<T> (
  name: TracedRun, { context, summarize, isSkipped = () => false }: Trace<T>, perform: () => Promise<T>
): Promise<T> {
  let performing = new Promise<T>(() => {})
  await channels[name].tracePromise(async () => {
    performing = perform()
    return await performing.then(summarize, (error: unknown) => {
      if (!isSkipped(error)) throw publicError(error)
    })
  }, context)
  return await performing
}

/** The counts of a snapshot. */
export const countsOf = ({ tableCount, rowCount, sizeBytes }: Backup): RunCounts =>
  ({ tableCount, rowCount, sizeBytes })
