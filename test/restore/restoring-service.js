// node test/restore/restoring-service.js url storagePath id phase
//
// A service that restores a snapshot. When the restore reaches the phase, the service writes its name to standard
// output and blocks, until the test kills it.

import { writeSync } from 'node:fs'
import Fastify from 'fastify'
import backup from 'fastify-backup'

const [url = '', storagePath = '', id = '', wanted] = process.argv.slice(2)
const app = Fastify()
await app.register(backup, {
  enabled: true,
  connection: url,
  schema: process.env.TEST_SCHEMA ?? 'public',
  storagePath,
  excludeTables: ['audit_logs'],
  allowRestore: true,
  auth: [async () => {}]
})
await app.ready()
await app.backup.restore(id, {
  onProgress ({ phase }) {
    if (phase !== wanted) return
    writeSync(1, `${phase}\n`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
})
writeSync(1, 'restored\n')
