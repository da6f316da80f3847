import { parseArgs } from 'node:util'
import { versions } from '../test/support/postgres-binaries.js'

/**
 * @typedef {object} BenchOptions
 * @property {string} [url] of a server to use instead of an embedded one
 * @property {number} [version] major version of the embedded server
 * @property {number} rows of the narrow table
 * @property {number} rounds
 * @property {string[]} [only] names of scenarios; all without it
 * @property {boolean} json
 */

export class UsageError extends Error {}

/**
 * @param {string[]} names of all scenarios
 */
export const usage = (names) => `Usage: npm run bench -- [options]

  --url <url>        a server to use; its role must be allowed to create databases. Without it an embedded one is started
  --postgres <${versions.join('|')}>  the embedded server's version; the newest that the pg_dump on PATH can dump unless told
  --rows <n>         rows of the narrow table, 3000000 unless told: a snapshot of about 1 GB. The other tables follow it: a sixth
                     as many mixed rows, one large text for each 200, one file for each 1,000. The temporary directory and the
                     server need some ten times the snapshot
  --rounds <n>       how often each pair is measured, 3 unless told
  --only <names>     some scenarios, with commas: ${names.join(', ')}.
                     bench/RESULTS.md is written only when all have run
  --json             print the results as JSON; progress goes to stderr in any case
  --help`

/**
 * @param {string[]} args
 * @param {string[]} names of all scenarios
 * @returns {BenchOptions | undefined} nothing when help is asked for
 * @throws {UsageError}
 */
export function readOptions (args, names) {
  const { help, url, postgres, rows, rounds, only, json } = parse(args)
  if (help) return undefined

  const version = postgres === undefined ? undefined : Number(postgres)
  if (version !== undefined && !versions.includes(version)) throw new UsageError(`--postgres must be one of ${versions.join(', ')}`)
  if (version !== undefined && url !== undefined) throw new UsageError('--postgres is for the embedded server; leave out --url')
  const chosen = only?.split(',')
  const unknown = chosen?.filter((name) => !names.includes(name)) ?? []
  if (unknown.length > 0) throw new UsageError(`There is no scenario ${unknown.join(', ')}`)

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
 * @param {number} least
 */
function readCount (option, text, least) {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < least) throw new UsageError(`${option} must be a whole number of at least ${least}`)
  return count
}
