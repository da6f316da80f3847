// node test/support/run-checks.js
//
// Lint, type tests, and the build with its type check, at the same time. Prints the output of those that fail.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { findProgram } from './find-program.js'
import { projectRoot } from './project-root.js'

/** @type {Record<string, [program: string | undefined, ...args: string[]]>} */
const checks = {
  lint: [findProgram('eslint'), '.'],
  'type tests': [findProgram('tstyche')],
  build: [fileURLToPath(new URL('build.js', import.meta.url))]
}

await Promise.all(Object.entries(checks).map(async ([name, [program, ...args]]) => {
  if (program === undefined) throw new Error(`The program for ${name} is not installed; run npm install`)
  const child = spawn(process.execPath, [program, ...args], {
    cwd: fileURLToPath(projectRoot), stdio: ['ignore', 'pipe', 'pipe']
  })
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  process.stdout.write(code === 0 ? `${name}: passed\n` : `${name}: failed\n${output}${errors}`)
  if (code !== 0) process.exitCode = 1
}))
