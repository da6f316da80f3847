// node test/support/with-postgres.js [--postgres 15] [--schema apart] -- command args…
//
// Runs a command with TEST_DATABASE_URL: the one that is already set, or that of an embedded server, which ends with
// the command. --schema sets TEST_SCHEMA, the schema of the tests' tables. The command is `node`, the name of a
// development dependency that has a program of that name, or a program on PATH.

import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { startPostgres } from './embedded-postgres.js'
import { findProgram } from './find-program.js'
import { versions } from './postgres-binaries.js'

const { values, positionals } = parseArgs({
  options: { postgres: { type: 'string', default: '18' }, schema: { type: 'string' } },
  allowPositionals: true
})
const [command, ...args] = positionals
const version = Number(values.postgres)
if (command === undefined || !versions.includes(version)) {
  const usage = `[--postgres ${versions.join('|')}] [--schema name] -- command args…`
  console.error(`Usage: node test/support/with-postgres.js ${usage}`)
  process.exit(2)
}

// From before the start of the server until its end: without these handlers a signal would end this process before the
// command
/** @type {NodeJS.Signals | undefined} */
let interrupted
/** @type {import('node:child_process').ChildProcess | undefined} */
let child
for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    interrupted = signal
    // A terminal has sent its Ctrl-C to the command as well, and a second one makes many programs drop everything
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child?.kill(signal)
  })
}

const given = process.env.TEST_DATABASE_URL
const server = given ? undefined : await startPostgres({ version })
const environment = {
  ...process.env,
  TEST_DATABASE_URL: given || server?.url,
  ...values.schema !== undefined && { TEST_SCHEMA: values.schema }
}
try {
  const { code, signal } = interrupted === undefined
    ? await run(command, args, environment)
    : { code: null, signal: interrupted }
  interrupted = signal ?? undefined
  process.exitCode = code ?? 1
} finally {
  await server?.stop()
}
if (interrupted !== undefined) {
  process.removeAllListeners(interrupted)
  process.kill(process.pid, interrupted)
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null }>}
 */
function run (command, args, env) {
  const script = findProgram(command)
  child = script === undefined
    ? spawn(command === 'node' ? process.execPath : command, args, { env, stdio: 'inherit' })
    : spawn(process.execPath, [script, ...args], { env, stdio: 'inherit' })
  const running = child
  return new Promise((resolve, reject) => {
    running.once('error', reject)
    running.once('exit', (code, signal) => resolve({ code, signal }))
  })
}
