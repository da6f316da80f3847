import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { projectRoot } from './project-root.js'

/** Larger groups leave one core without work at the end of the run, smaller ones start more processes. */
const bytesPerGroup = 60_000
/** Below it, each file gets a process of its own, and its name in the report. */
const minTests = 20

/**
 * Divides tests into groups that each run in one process, because a process takes a second of CPU time to start, longer
 * than most files take. Writes a file for each group that imports its tests.
 * @param {string[]} tests sorted names, such as restore/refusals
 * @returns {string[]} files for tap, relative to the project, the largest first
 */
export function groupTests (tests) {
  if (tests.length < minTests) return tests.map((test) => `dist/test/${test}.test.js`)
  const directory = 'dist/test-groups'
  rmSync(new URL(directory, projectRoot), { recursive: true, force: true })
  mkdirSync(new URL(directory, projectRoot))
  return divide(tests).sort((a, b) => b.bytes - a.bytes).map(({ tests }, index) => {
    const file = `${directory}/${index + 1}-${tests[0]?.replaceAll('/', '-')}.test.js`
    writeFileSync(new URL(file, projectRoot), tests.map((test) => `await import('../test/${test}.test.js')\n`).join(''))
    return file
  })
}

/**
 * @param {string[]} tests
 * @returns {Array<{ tests: string[], bytes: number }>}
 */
function divide (tests) {
  /** @type {ReturnType<typeof divide>} */
  const groups = []
  for (const test of tests) {
    const { size } = statSync(new URL(`dist/test/${test}.test.js`, projectRoot))
    const last = groups.at(-1)
    if (last === undefined || last.bytes + size > bytesPerGroup) groups.push({ tests: [test], bytes: size })
    else {
      last.tests.push(test)
      last.bytes += size
    }
  }
  return groups
}
