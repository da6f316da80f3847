const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const { subscribe } = require('node:diagnostics_channel')
const Fastify = require('fastify')
const postgres = require('postgres')

let workers = 0
subscribe('worker_threads', () => { workers++ })

/**
 * Backs up rows, deletes them and restores them, in worker threads if the first argument is `worker`: so many that the
 * backup is not a small one, which takes place in the main thread. The schema and the directory are new: an empty log
 * would adopt the snapshots of an earlier run.
 */
module.exports = async function backUpAndRestore (backup) {
  const inWorker = process.argv[2] === 'worker'
  const connection = process.env.TEST_DATABASE_URL
  const schema = `package_${randomBytes(8).toString('hex')}`
  const lines = []
  const app = Fastify({ logger: { level: 'warn', stream: { write (line) { lines.push(JSON.parse(line)) } } } })
  const sql = postgres(connection, { onnotice () {} })
  await sql.unsafe(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.users AS
    SELECT i AS id, repeat(md5(i::text), 40) AS name FROM generate_series(1, 2000) i`)
  try {
    await app.register(backup, {
      enabled: true,
      connection,
      schema,
      storagePath: `backups/${schema}`,
      auth: [async () => {}],
      allowRestore: true
    })
    const { id } = await app.backup.create()
    await sql.unsafe(`DELETE FROM ${schema}.users`)
    await app.backup.restore(id)
    assert.equal((await sql.unsafe(`SELECT FROM ${schema}.users`)).length, 2000)
    assert.equal(workers, inWorker ? 2 : 0)
    // Start and end of the restore are warnings, too
    const reasons = lines.flatMap(({ msg, reason }) => msg.startsWith('restore ') ? [] : [reason])
    assert.equal(lines.length - reasons.length, 2)
    const areAboutBundles = reasons.map((reason) => /keep fastify-backup out of the bundle/.test(reason))
    assert.deepEqual(areAboutBundles, inWorker ? [] : [true])
  } finally {
    await app.close()
    await sql.unsafe(`DROP SCHEMA ${schema} CASCADE`)
    await sql.end()
  }
}
