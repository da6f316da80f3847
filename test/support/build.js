// node test/support/build.js
//
// Type-checks everything, compiles wasm/ into lib/, and the library and its tests to dist/, as far as they have
// changed, and bundles the admin page.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundleTypebox } from './bundle-typebox.js'
import { findProgram } from './find-program.js'
import { projectRoot } from './project-root.js'

// tap applies the plugins of .taprc to its own files in node_modules, where the types of its tests are, too
if (isOlder('.tap/plugins/package.json', ['.taprc', 'node_modules/.package-lock.json'])) run('tap', 'build')
if (isOlder('dist/node_modules/typebox/package.json', ['node_modules/.package-lock.json'])) await bundleTypebox()
await import('../../wasm/build.js')
run('typescript', '--build', '.', 'ui', 'wasm', 'examples/service')
await import('../../ui/build.js')
for (const folder of ['bench', 'examples', 'lib', 'test', 'types', 'ui/src']) removeStale(folder)

/**
 * A test whose source was renamed or removed must not run any more.
 * @param {string} folder
 */
function removeStale (folder) {
  const compiled = new URL(`dist/${folder}/`, projectRoot)
  for (const file of readdirSync(compiled, { recursive: true, encoding: 'utf8' })) {
    const name = /^(.*?)(?:\.d\.ts|\.js|\.js\.map)$/.exec(file)?.[1]
    const hasSource = ['.ts', '.js'].some((ending) => existsSync(new URL(`${folder}/${name}${ending}`, projectRoot)))
    if (name !== undefined && !hasSource) rmSync(new URL(file, compiled))
  }
}

/**
 * @param {string} file
 * @param {string[]} others
 */
function isOlder (file, others) {
  /** @param {string} path */
  const changed = (path) => statSync(new URL(path, projectRoot), { throwIfNoEntry: false })?.mtimeMs ?? 0
  return others.some((other) => changed(other) > changed(file))
}

/**
 * @param {string} dependency
 * @param {string[]} args
 */
function run (dependency, ...args) {
  const program = findProgram(dependency, dependency === 'typescript' ? 'tsc' : dependency)
  if (program === undefined) throw new Error(`${dependency} is not installed; run npm install`)
  const cwd = fileURLToPath(projectRoot)
  const { status } = spawnSync(process.execPath, [program, ...args], { cwd, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
