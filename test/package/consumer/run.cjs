const backup = require('fastify-backup')
const backUpAndRestore = require('./back-up-and-restore.cjs')

backUpAndRestore(backup)
