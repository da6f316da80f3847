// node test/support/run-tap.js [names of tests] [tap's arguments]
//
// tap with its coverage bar, on the compiled tests: all of them, or those named, such as restore, restore/refusals,
// test/restore/refusals.test.ts or "test/restore/*.test.ts". A run of some of the tests can't cover everything, so it goes
// without.

import { existsSync, statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { findProgram } from './find-program.js'
import { projectRoot } from './project-root.js'

const given = process.argv.slice(2)
const args = given.map((arg) => arg.startsWith('-') ? arg : compiledTests(arg) ?? arg)
const isNarrowed = args.some((arg) => arg.startsWith('dist/test/'))
process.argv.splice(2, given.length, isNarrowed ? '--disable-coverage' : 'dist/test/**/*.test.js', ...args)

const tap = findProgram('tap')
if (tap === undefined) throw new Error('tap is not installed; run npm install')
// In this process, so that it gets the signals
await import(pathToFileURL(tap).href)

/**
 * @param {string} arg
 * @returns {string | undefined} what tap has to be given for it; undefined when it names no tests
 */
function compiledTests (arg) {
  const name = arg.replaceAll('\\', '/').replace(/^(?:\.\/)?test\//, '').replace(/\.test\.ts$/, '').replace(/\/$/, '')
  if (name.includes('*') || existsSync(new URL(`test/${name}.test.ts`, projectRoot))) return `dist/test/${name}.test.js`
  const isFolder = statSync(new URL(`test/${name}`, projectRoot), { throwIfNoEntry: false })?.isDirectory()
  return isFolder ? `dist/test/${name}/**/*.test.js` : undefined
}
