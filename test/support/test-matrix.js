// node test/support/test-matrix.js [tap's arguments]
//
// Runs all tests on each supported major version of PostgreSQL, and once more with all tables in a schema other than
// `public`. The runs use embedded servers, one after another.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { versions } from './postgres-binaries.js'

const script = fileURLToPath(new URL('with-postgres.js', import.meta.url))
const tap = fileURLToPath(new URL('run-tap.js', import.meta.url))
const { TEST_DATABASE_URL: _, ...env } = process.env
/** @type {string[]} */
const failed = []

const newest = Math.max(...versions)
const rounds = [...versions.map((version) => ({ version, schema: 'public' })), { version: newest, schema: 'apart' }]
for (const { version, schema } of rounds) {
  const name = `PostgreSQL ${version}, schema ${schema}`
  console.log(`== ${name}`)
  const command = ['node', tap, '--all', ...process.argv.slice(2)]
  const args = [script, '--postgres', String(version), '--schema', schema, '--', ...command]
  const run = spawn(process.execPath, args, { env, stdio: 'inherit' })
  const [code] = await once(run, 'exit')
  if (code !== 0) failed.push(name)
}
if (failed.length > 0) {
  console.error(`Failed: ${failed.join('; ')}`)
  process.exitCode = 1
}
