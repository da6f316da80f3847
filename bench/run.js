// npm run bench -- --help
//
// Compares backups and restores with other programs that dump and load tables, and measures their effect on the service
// that runs them. Requires only Node: without pg_dump and pg_restore on PATH the report omits them.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBench } from './bench.js'
import { createSchema } from './data/schemas.js'
import { createDatabase } from './database.js'
import { readOptions, usage, UsageError } from './options.js'
import { findPgPrograms } from './pg-programs.js'
import { createReport } from './report/report.js'
import { formatForTerminal } from './report/terminal.js'
import { writeChart } from './report/write-chart.js'
import { writeMarkdown } from './report/write-markdown.js'
import { scenarios } from './scenarios/index.js'
import { openServer } from './server.js'
/** @import { BenchOptions } from './options.js' */
/** @import { PgPrograms } from './pg-programs.js' */
/** @import { Result } from './result.js' */

const names = scenarios.map(({ name }) => name)
const options = readArguments()

// Without handlers a second Ctrl-C, or the signal that npm forwards, would end this process before it has cleaned up
const interruption = new AbortController()
const { signal } = interruption
const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])
for (const name of signals) process.on(name, () => interruption.abort(name))

/** Close what has been opened, the last one first. @type {Array<() => unknown>} */
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
  const leftOut = hasPgPrograms ? [] : [explainMissingPrograms(programs, server.version)]
  for (const sentence of leftOut) log(sentence)

  const directory = await mkdtemp(join(tmpdir(), 'fastify-backup-bench-'))
  closers.unshift(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const { url, sql, drop } = await createDatabase(server.url)
  closers.unshift(drop)

  // Not earlier: a call above that was still running would open something after the closers have run
  const interrupted = signal.aborted
    ? Promise.reject(signal.reason)
    : once(signal, 'abort').then(() => { throw signal.reason })
  const report = await Promise.race([measure(), interrupted])
  console.log(json ? JSON.stringify(report, null, 2) : `\n${formatForTerminal(report)}`)
  if (only === undefined) await Promise.all([writeMarkdown(report), writeChart(report)])

  async function measure () {
    for (const schema of new Set(chosen.map(({ schema }) => schema))) {
      log(`PostgreSQL ${server.version}: filling the schema ${schema}`)
      await createSchema(sql, schema, rows)
    }
    const [size] = await sql`SELECT pg_database_size(current_database())::float8 AS bytes`

    const bench = createBench({ url, sql, rounds, directory, hasPgPrograms, signal, log })
    /** @type {Result[]} */
    const results = []
    for (const scenario of chosen) {
      log(`== ${scenario.name}`)
      results.push(...await scenario.run(bench))
    }

    return createReport({
      server: server.version,
      isEmbedded: options.url === undefined,
      pgDump: programs?.version,
      rows,
      rounds,
      databaseBytes: size?.bytes,
      leftOut,
      results
    })
  }
}

/**
 * @param {PgPrograms | undefined} programs
 * @param {string} version of the server
 */
function explainMissingPrograms (programs, version) {
  const reason = programs === undefined
    ? 'they are not on PATH'
    : `version ${programs.version} does not support PostgreSQL ${version}`
  return `Not measured: pg_dump and pg_restore, because ${reason}.`
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
function log (line) {
  console.error(`${new Date().toISOString().slice(11, 19)} ${line}`)
}

/** @param {unknown} err */
function fail (err) {
  process.exitCode = 1
  console.error(err)
}
