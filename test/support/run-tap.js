// node test/support/run-tap.js [tap's arguments]
//
// tap with its coverage bar. Only a run of some of the test files goes without, because those can't cover everything.

import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { findProgram } from './find-program.js'

const isNarrowed = process.argv.slice(2).some((arg) => existsSync(arg) || arg.includes('*'))
if (isNarrowed) process.argv.splice(2, 0, '--allow-incomplete-coverage')

const tap = findProgram('tap')
if (tap === undefined) throw new Error('tap is not installed; run npm install')
// In this process, so that it gets the signals
await import(pathToFileURL(tap).href)
