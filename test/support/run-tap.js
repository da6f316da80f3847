// node test/support/run-tap.js [--all | --long | names of tests] [tap's arguments]
//
// tap on the compiled tests. A test is named as restore/refusals, test/restore/refusals.test.ts or
// "test/restore/*.test.ts", a folder as restore. Without names it runs all tests except the long ones and the faults,
// and requires full coverage. --long runs the long tests (npm run test:faults the faults), --all everything.
//
// Long tests are those in files named *.long.test.ts: kills, large values, every encoding, every example. They cover no
// line of the library that the others do not cover.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { findProgram } from './find-program.js'
import { projectRoot } from './project-root.js'

const given = process.argv.slice(2)
/** @type {string[]} */
const tests = []
/** @type {string[]} */
const options = []
for (const arg of given) {
  const found = arg === '--all' ? '**/*' : arg === '--long' ? '**/*.long' : compiledTests(arg)
  if (found === undefined) options.push(arg)
  else tests.push(`dist/test/${found}.test.js`)
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
 * @returns {string | undefined} the compiled tests that it names, a pattern; undefined when it names none
 */
function compiledTests (arg) {
  if (arg.startsWith('-')) return undefined
  const name = arg.replaceAll('\\', '/').replace(/^(?:\.\/)?test\//, '').replace(/\.test\.ts$/, '').replace(/\/$/, '')
  if (name.includes('*') || existsSync(new URL(`test/${name}.test.ts`, projectRoot))) return name
  if (existsSync(new URL(`test/${name}.long.test.ts`, projectRoot))) return `${name}.long`
  const isFolder = statSync(new URL(`test/${name}`, projectRoot), { throwIfNoEntry: false })?.isDirectory()
  return isFolder ? `${name}/**/*` : undefined
}

function shortTests () {
  return readdirSync(new URL('dist/test/', projectRoot), { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.test.js') && !file.endsWith('.long.test.js') && !file.startsWith('faults/'))
    .map((file) => `dist/test/${file}`)
}
