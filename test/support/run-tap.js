// node test/support/run-tap.js [--all | --long | names of tests] [tap's arguments]
//
// tap on the compiled tests. A test is named as restore/refusals, test/restore/refusals.test.ts or
// "test/restore/*.test.ts", a folder as restore. Without names it runs all tests except the long ones and the faults,
// and requires full coverage. --long runs the long tests (npm run test:faults the faults), --all everything.
// In a pattern, * matches a part of a name and ** folders. A folder does not include its long tests, nor does a
// pattern that does not end with .long.
//
// Long tests are those in files named *.long.test.ts: kills, large values, every encoding, every example. They cover no
// line of the library that the others do not cover.

import { readdirSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { findProgram } from './find-program.js'
import { groupTests } from './group-tests.js'
import { projectRoot } from './project-root.js'

const compiled = readdirSync(new URL('dist/test/', projectRoot), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js'))
  .map((file) => file.replaceAll('\\', '/').replace(/\.test\.js$/, ''))
  .sort()
const isLong = (/** @type {string} */ test) => test.endsWith('.long') || test.startsWith('faults/')

const given = process.argv.slice(2)
/** @type {Set<string>} */
const tests = new Set()
/** @type {string[]} */
const options = []
for (const arg of given) {
  const found = namedTests(arg)
  if (found.length === 0) options.push(arg)
  for (const test of found) tests.add(test)
}
// A part of the tests cannot cover everything
if (tests.size > 0) options.push('--disable-coverage')
const selected = tests.size > 0 ? [...tests] : compiled.filter((test) => !isLong(test))
process.argv.splice(2, given.length, ...options,
  ...groupTests(selected.filter((test) => !isLong(test))),
  ...selected.filter(isLong).map((test) => `dist/test/${test}.test.js`))

const tap = findProgram('tap')
if (tap === undefined) throw new Error('tap is not installed; run npm install')
const preload = new URL('without-hooks.js', import.meta.url)
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${preload}`.trimStart()
// In this process, so that it gets the signals
await import(pathToFileURL(tap).href)

/**
 * @param {string} arg
 * @returns {string[]} the compiled tests that it names
 */
function namedTests (arg) {
  if (arg === '--all') return compiled
  if (arg === '--long') return compiled.filter((test) => test.endsWith('.long'))
  if (arg.startsWith('-')) return []
  const name = arg.replaceAll('\\', '/').replace(/^(?:\.\/)?test\//, '').replace(/\.test\.ts$/, '').replace(/\/$/, '')
  if (compiled.includes(name)) return [name]
  if (compiled.includes(`${name}.long`)) return [`${name}.long`]
  const candidates = name.endsWith('.long') ? compiled : compiled.filter((test) => !test.endsWith('.long'))
  if (!name.includes('*')) return candidates.filter((test) => test.startsWith(`${name}/`))
  const pattern = name.replace(/[.+?^$()[\]\\]/g, '\\$&')
    .replace(/\*\*\/\*|\*/g, (stars) => stars === '*' ? '[^/]*' : '.*')
  return candidates.filter((test) => new RegExp(`^${pattern}$`).test(test))
}
