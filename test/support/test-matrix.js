// node test/support/test-matrix.js [tap's arguments]
//
// All tests on each supported major version of PostgreSQL, one after another, on embedded servers.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { versions } from './postgres-binaries.js'

const script = fileURLToPath(new URL('with-postgres.js', import.meta.url))
const { TEST_DATABASE_URL: _, ...env } = process.env
const failed = []

for (const version of versions) {
  console.log(`== PostgreSQL ${version}`)
  const run = spawn(process.execPath, [script, '--postgres', String(version), '--', 'tap', '--disable-coverage', ...process.argv.slice(2)], { env, stdio: 'inherit' })
  const [code] = await once(run, 'exit')
  if (code !== 0) failed.push(version)
}
if (failed.length > 0) {
  console.error(`Failed on PostgreSQL ${failed.join(', ')}`)
  process.exitCode = 1
}
