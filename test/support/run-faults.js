// node test/support/run-faults.js [tap's arguments]
//
// The scenarios of test/faults in their long form, on an embedded server. TEST_FAULTS_SEED=… replays the random ones.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const given = process.argv.slice(2)
const files = given.some((arg) => arg.includes('faults/')) ? [] : ['faults']
const { status } = spawnSync(process.execPath, [`${here}with-postgres.js`, '--', 'node', `${here}run-tap.js`, '--reporter=terse', '--timeout=900', ...files, ...given],
  { stdio: 'inherit', env: { ...process.env, TEST_FAULTS: 'long' } })
process.exitCode = status ?? 1
