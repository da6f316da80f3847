// node test/support/run-faults.js [tap's arguments]
//
// Runs the long form of the scenarios in test/faults on an embedded server. TEST_FAULTS_SEED=… replays the random ones.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const given = process.argv.slice(2)
const files = given.some((arg) => arg.includes('faults/')) ? [] : ['faults']
const tap = ['node', `${here}run-tap.js`, '--reporter=terse', '--jobs=2', '--timeout=1500', ...files, ...given]
const { status } = spawnSync(process.execPath, [`${here}with-postgres.js`, '--', ...tap], {
  stdio: 'inherit',
  env: { ...process.env, TEST_FAULTS: 'long' }
})
process.exitCode = status ?? 1
