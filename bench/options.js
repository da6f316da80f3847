import { parseArgs } from 'node:util'
import { versions } from '../test/support/postgres-binaries.js'

/**
 * @typedef {object} BenchOptions
 * @property {string} [url] of a server to use instead of an embedded one
 * @property {number} [version] major version of the embedded server
 * @property {number} rows in the narrow table
 * @property {number} rounds
 * @property {string[]} [only] names of scenarios; default: all
 * @property {boolean} json
 */

export class UsageError extends Error {}

/**
 * @param {string[]} names of all scenarios
 */
export const usage = (names) => `Usage: npm run bench -- [options]

  --url <url>        use this server; the role needs CREATEDB. Default: start an embedded server
  --postgres <${versions.join('|')}>
                     version of the embedded server. Default: the newest that pg_dump on PATH supports
  --rows <n>         rows in the narrow table. Default: 3000000, which makes a snapshot of about 1 GB. The other
                     tables have a sixth as many mixed rows, one large text for each 200 rows and one file for
                     each 1,000. The temporary directory and the server need about ten times the snapshot's size
  --rounds <n>       number of measurements of each pair. Default: 3
  --only <names>     run only these scenarios, separated by commas:
                     ${names.join(', ')}.
                     Only a run of all scenarios writes bench/RESULTS.md and
                     docs/benchmark.svg
  --json             print the results as JSON; progress always goes to stderr
  --help             print this text`

/**
 * @param {string[]} args
 * @param {string[]} names of all scenarios
 * @returns {BenchOptions | undefined} undefined with --help
 * @throws {UsageError}
 */
export function readOptions (args, names) {
  const { help, url, postgres, rows, rounds, only, json } = parse(args)
  if (help) return undefined

  const version = postgres === undefined ? undefined : Number(postgres)
  if (version !== undefined && !versions.includes(version)) {
    throw new UsageError(`--postgres must be one of ${versions.join(', ')}`)
  }
  if (version !== undefined && url !== undefined) {
    throw new UsageError('--postgres applies to the embedded server only, and cannot be combined with --url')
  }
  const chosen = only?.split(',')
  const unknown = chosen?.filter((name) => !names.includes(name)) ?? []
  if (unknown.length > 0) throw new UsageError(`Unknown scenario: ${unknown.join(', ')}`)

  return {
    ...url !== undefined && { url },
    ...version !== undefined && { version },
    ...chosen !== undefined && { only: chosen },
    rows: readCount('--rows', rows, 1000),
    rounds: readCount('--rounds', rounds, 1),
    json
  }
}

/** @param {string[]} args */
function parse (args) {
  try {
    return parseArgs({
      args,
      options: {
        url: { type: 'string' },
        postgres: { type: 'string' },
        rows: { type: 'string', default: '3000000' },
        rounds: { type: 'string', default: '3' },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false }
      }
    }).values
  } catch (err) {
    throw new UsageError(/** @type {Error} */ (err).message)
  }
}

/**
 * @param {string} option
 * @param {string} text
 * @param {number} minimum
 */
function readCount (option, text, minimum) {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < minimum) {
    throw new UsageError(`${option} must be an integer of at least ${minimum}`)
  }
  return count
}
