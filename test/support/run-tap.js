// node test/support/run-tap.js [--all | --long | names of tests] [tap's arguments]
//
// tap on the compiled tests. A test is named as restore/refusals, test/restore/refusals.test.ts or "test/restore/*.test.ts", a
// folder as restore. Without names it runs all but the long tests and the faults, with tap's coverage bar. --long runs the
// long tests (npm run test:faults the faults), --all everything.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { findProgram } from './find-program.js'
import { projectRoot } from './project-root.js'

/** What takes long by nature, and covers no line of the library that the others don't. Folders and tests. */
const longTests = ['examples', 'restore/large-values', 'restore/server-versions']

const given = process.argv.slice(2)
/** @type {string[]} */
const tests = []
/** @type {string[]} */
const options = []
for (const arg of given) {
  const found = arg === '--all' ? 'dist/test/**/*.test.js' : arg === '--long' ? longTests.map(compiledTests) : compiledTests(arg)
  if (found === undefined) options.push(arg)
  else tests.push(...[found].flat().filter((test) => test !== undefined))
}
// Some of the tests can't cover everything
process.argv.splice(2, given.length, ...options, ...tests.length > 0 ? ['--disable-coverage', ...tests] : shortTests())

const tap = findProgram('tap')
if (tap === undefined) throw new Error('tap is not installed; run npm install')
// In this process, so that it gets the signals
await import(pathToFileURL(tap).href)

/**
 * @param {string} arg
 * @returns {string | undefined} what tap has to be given for it; undefined when it names no tests
 */
function compiledTests (arg) {
  if (arg.startsWith('-')) return undefined
  const name = arg.replaceAll('\\', '/').replace(/^(?:\.\/)?test\//, '').replace(/\.test\.ts$/, '').replace(/\/$/, '')
  if (name.includes('*') || existsSync(new URL(`test/${name}.test.ts`, projectRoot))) return `dist/test/${name}.test.js`
  const isFolder = statSync(new URL(`test/${name}`, projectRoot), { throwIfNoEntry: false })?.isDirectory()
  return isFolder ? `dist/test/${name}/**/*.test.js` : undefined
}

function shortTests () {
  return readdirSync(new URL('dist/test/', projectRoot), { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.test.js') && ![...longTests, 'faults'].some((long) => file === `${long}.test.js` || file.startsWith(`${long}/`)))
    .map((file) => `dist/test/${file}`)
}
