const assert = require('node:assert/strict')
const Fastify = require('fastify')
const backup = require('fastify-backup')

assert.equal(backup.default, backup.backupPlugin)

const app = Fastify()
app.register(backup, { enabled: false })
app.ready()
  .then(() => assert.rejects(app.backup.create(), { code: 'FST_BACKUP_DISABLED' }))
  .then(() => app.close())
