import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { projectRoot } from './project-root.js'

/**
 * The script that a development dependency installs as a program. Run it with node: on Windows, the files in
 * node_modules/.bin cannot be spawned without a shell.
 * @param {string} dependency
 * @param {string} [name] of the program, when it is another one
 * @param {URL} [project] the directory of the package.json that depends on it
 * @returns {string | undefined}
 */
export function findProgram (dependency, name = dependency, project = projectRoot) {
  const directory = new URL(`node_modules/${dependency}/`, project)
  const manifest = new URL('package.json', directory)
  if (!existsSync(manifest)) return undefined
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'))
  const script = typeof bin === 'string' ? bin : bin?.[name]
  return script === undefined ? undefined : fileURLToPath(new URL(script, directory))
}
