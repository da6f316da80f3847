import { spawnSync } from 'node:child_process'

/** @typedef {{ uid: number, gid: number }} User */

/**
 * The user that the server runs as. PostgreSQL refuses to run as root, so root takes one that the system has already.
 * @returns {User | undefined} undefined: ourselves
 */
export function findServerUser () {
  if (process.geteuid?.() !== 0) return undefined
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const uid = ask('-u', name)
    const gid = ask('-g', name)
    if (uid !== undefined && gid !== undefined) return { uid, gid }
  }
  throw new Error('PostgreSQL refuses to run as root, and this system has neither a user postgres nor nobody; ' +
    'run as an ordinary user, or set TEST_DATABASE_URL to the URL of a server')
}

/**
 * Whether that user reaches a directory: root's own temporary directory may lie where others can't enter.
 * @param {string} directory
 * @param {User | undefined} user
 */
export function canEnter (directory, user) {
  return user === undefined || spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { ...user, cwd: '/' }).status === 0
}

/**
 * @param {'-u' | '-g'} flag
 * @param {string} name
 */
function ask (flag, name) {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' })
  return status === 0 ? Number(stdout) : undefined
}
