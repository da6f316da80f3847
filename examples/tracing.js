// @ts-check
// Spans of the runs, from the tracing channels of node:diagnostics_channel. Takes a backup, verifies it, and prints the
// spans. With OpenTelemetry, call tracer.startSpan() in `start` and span.end() in `asyncEnd`.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/tracing.js

import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import Fastify from 'fastify'
import backup from 'fastify-backup'

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')

/**
 * @typedef {import('fastify-backup').RunTrace} RunTrace
 * @typedef {{ name: string, parent: string, start: number }} Span
 */

/** The span that the current code runs in. @type {AsyncLocalStorage<Span>} */
const current = new AsyncLocalStorage()

for (const name of ['create', 'restore', 'verify', 'import', 'prune']) {
  /** @type {WeakMap<RunTrace, Span>} */
  const spans = new WeakMap()
  /** @type {import('node:diagnostics_channel').TracingChannel<unknown, RunTrace>} */
  const channel = tracingChannel(`fastify-backup.${name}`)
  // Runs the work of the run inside of its span, so that it is the parent of the spans below
  channel.start.bindStore(current, (trace) => {
    const span = { name, parent: current.getStore()?.name ?? 'none', start: performance.now() }
    spans.set(/** @type {RunTrace} */ (trace), span)
    return span
  })
  channel.subscribe({
    start () {},
    end () {},
    asyncStart () {},
    error () {},
    asyncEnd (trace) {
      const span = spans.get(trace)
      if (span === undefined) return
      const ms = Math.round(performance.now() - span.start)
      const { schema, trigger, result, error } = trace
      const outcome = error === undefined ? JSON.stringify(result) : `failed: ${error.message}`
      console.log(`${span.name} (in ${span.parent}) of ${schema}, ${trigger}, ${ms} ms: ${outcome}`)
    }
  })
}

const app = Fastify({ logger: { level: 'warn' } })
await app.register(backup, { enabled: true, connection: DATABASE_URL, auth: [refuseAll] })
await app.ready()
const { id } = await app.backup.create()
await app.backup.verify(id)
await app.close()

/** Refuses every request to the routes of this example. */
async function refuseAll () {
  throw Object.assign(new Error('No access over HTTP'), { statusCode: 403 })
}
