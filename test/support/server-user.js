import { spawnSync } from 'node:child_process'

/** @typedef {{ uid: number, gid: number }} User */

/**
 * The user that the server runs as. PostgreSQL refuses to run as root, so for root it is an existing system user.
 * @returns {User | undefined} undefined: the user of this process
 */
export function findServerUser () {
  if (process.geteuid?.() !== 0) return undefined
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const uid = readId('-u', name)
    const gid = readId('-g', name)
    if (uid !== undefined && gid !== undefined) return { uid, gid }
  }
  throw new Error('PostgreSQL refuses to run as root, and this system has neither a user postgres nor a user nobody; ' +
    'run as another user, or set TEST_DATABASE_URL to the URL of a server')
}

/**
 * Whether the user can enter a directory. Other users may not be able to enter the temporary directory of root.
 * @param {string} directory
 * @param {User | undefined} user
 */
export function canEnter (directory, user) {
  if (user === undefined) return true
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { ...user, cwd: '/' }).status === 0
}

/**
 * @param {'-u' | '-g'} flag
 * @param {string} name
 */
function readId (flag, name) {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' })
  return status === 0 ? Number(stdout) : undefined
}
