import assert from 'node:assert/strict'
import Fastify from 'fastify'
import backup, { backupPlugin } from 'fastify-backup'

assert.equal(backup, backupPlugin)

// Disabled: then it needs no database
const app = Fastify()
await app.register(backup, { enabled: false })
await assert.rejects(app.backup.create(), { code: 'FST_BACKUP_DISABLED' })
await app.close()
