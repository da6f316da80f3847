// npm run bench -- --help
//
// Measures creating and restoring side by side with what else does it, and what both cost the service that hosts them. Needs
// nothing but Node: without pg_dump and pg_restore on PATH their rows are left out.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBench } from './bench.js'
import { makeSchema } from './data/schemas.js'
import { createDatabase } from './database.js'
import { readOptions, usage, UsageError } from './options.js'
import { findPgPrograms } from './pg-programs.js'
import { createReport } from './report/report.js'
import { formatForTerminal } from './report/terminal.js'
import { writeMarkdown } from './report/write-markdown.js'
import { scenarios } from './scenarios/index.js'
import { openServer } from './server.js'
/** @import { BenchOptions } from './options.js' */
/** @import { Result } from './result.js' */

const names = scenarios.map(({ name }) => name)
const options = readArguments()

// A second Ctrl-C, or the one that npm passes on, must not cut the end short
const interruption = new AbortController()
const { signal } = interruption
const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
for (const name of signals) process.on(name, () => interruption.abort(name))

/** What is open, the last one first. @type {Array<() => unknown>} */
const closers = []

try {
  await run(options)
} catch (err) {
  if (signal.aborted) process.exitCode = 128 + constants.signals[/** @type {typeof signals[number]} */ (signal.reason)]
  else fail(err)
}
for (const close of closers) {
  try {
    await close()
  } catch (err) {
    fail(err)
  }
}

/** @param {BenchOptions} options */
async function run (options) {
  const { rows, rounds, only, json } = options
  const chosen = scenarios.filter(({ name }) => only?.includes(name) ?? true)

  const programs = await findPgPrograms()
  const server = await openServer(options, programs)
  closers.unshift(server.stop)
  const hasPgPrograms = programs !== undefined && programs.major >= server.major
  const leftOut = hasPgPrograms
    ? []
    : [`Left out: pg_dump and pg_restore, ${programs === undefined ? 'which are not on PATH' : `of version ${programs.version}, which don't dump PostgreSQL ${server.version}`}.`]
  for (const sentence of leftOut) say(sentence)

  const directory = await mkdtemp(join(tmpdir(), 'fastify-backup-bench-'))
  closers.unshift(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const { url, sql, drop } = await createDatabase(server.url)
  closers.unshift(drop)

  // What has been opened by now is known to be closed; from here on nothing has to be waited for
  const interrupted = signal.aborted ? Promise.reject(signal.reason) : once(signal, 'abort').then(() => { throw signal.reason })
  const report = await Promise.race([measure(), interrupted])
  console.log(json ? JSON.stringify(report, null, 2) : `\n${formatForTerminal(report)}`)
  if (only === undefined) await writeMarkdown(report)

  async function measure () {
    for (const schema of new Set(chosen.map(({ schema }) => schema))) {
      say(`PostgreSQL ${server.version}: filling the schema ${schema}`)
      await makeSchema(sql, schema, rows)
    }
    const [size] = await sql`SELECT pg_database_size(current_database())::float8 AS bytes`

    const bench = createBench({ url, sql, rounds, directory, hasPgPrograms, signal, say })
    /** @type {Result[]} */
    const results = []
    for (const scenario of chosen) {
      say(`== ${scenario.name}`)
      results.push(...await scenario.run(bench))
    }

    return createReport({
      server: server.version, isEmbedded: options.url === undefined, pgDump: programs?.version, rows, rounds, databaseBytes: size?.bytes, leftOut, results
    })
  }
}

/** @returns {BenchOptions} */
function readArguments () {
  try {
    const options = readOptions(process.argv.slice(2), names)
    if (options !== undefined) return options
    console.log(usage(names))
    process.exit(0)
  } catch (err) {
    if (!(err instanceof UsageError)) throw err
    console.error(`${err.message}\n\n${usage(names)}`)
    process.exit(2)
  }
}

/** @param {string} line */
function say (line) {
  console.error(`${new Date().toISOString().slice(11, 19)} ${line}`)
}

/** @param {unknown} err */
function fail (err) {
  process.exitCode = 1
  console.error(err)
}
