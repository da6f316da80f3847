import backup from 'fastify-backup'
import backUpAndRestore from './back-up-and-restore.cjs'

await backUpAndRestore(backup)
