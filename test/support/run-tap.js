// node test/support/run-tap.js [--all | --long | names of tests] [tap's arguments]
//
// tap on the compiled tests. A test is named as restore/refusals, test/restore/refusals.test.ts or
// "test/restore/*.test.ts", a folder as restore. Without names it runs all tests except the long ones and the faults,
// and requires full coverage. --long runs the long tests (npm run test:faults the faults), --all everything.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { findProgram } from './find-program.js'
import { projectRoot } from './project-root.js'

/** Folders and tests that take long by nature, and cover no line of the library that the others do not cover. */
const longTests = ['examples', 'restore/large-values', 'restore/server-versions']

const given = process.argv.slice(2)
/** @type {string[]} */
const tests = []
/** @type {string[]} */
const options = []
for (const arg of given) {
  const found = arg === '--all'
    ? ['dist/test/**/*.test.js']
    : (arg === '--long' ? longTests : [arg]).flatMap((name) => compiledTests(name) ?? [])
  if (found.length === 0) options.push(arg)
  else tests.push(...found)
}
// A part of the tests cannot cover everything
process.argv.splice(2, given.length, ...options, ...tests.length > 0 ? ['--disable-coverage', ...tests] : shortTests())

const tap = findProgram('tap')
if (tap === undefined) throw new Error('tap is not installed; run npm install')
const preload = new URL('without-hooks.js', import.meta.url)
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${preload}`.trimStart()
// In this process, so that it gets the signals
await import(pathToFileURL(tap).href)

/**
 * @param {string} arg
 * @returns {string | undefined} the argument of tap for it; undefined when it names no tests
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
    .filter((file) => file.endsWith('.test.js') && ![...longTests, 'faults'].some((long) => isIn(long, file)))
    .map((file) => `dist/test/${file}`)
}

/**
 * @param {string} long a folder or a test
 * @param {string} file
 */
function isIn (long, file) {
  return file === `${long}.test.js` || file.startsWith(`${long}/`)
}
