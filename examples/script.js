// @ts-check
// A script without Fastify: takes a snapshot, prints what it contains, and ends.
//
//   DATABASE_URL=postgres://user:password@host/database node examples/script.js
//
// Snapshots of the schema public go to ./backups. The log is the table backup_logs of that schema.

import { createBackupService } from 'fastify-backup'

const { DATABASE_URL } = process.env
if (!DATABASE_URL) throw new Error('Set DATABASE_URL to the URL of a PostgreSQL database')

const backups = createBackupService({ connection: DATABASE_URL, storagePath: './backups' })
try {
  const { filename, tableCount, rowCount } = await backups.create({ note: 'by a script', actor: 'script.js' })
  console.log(`${filename}: ${tableCount} tables, ${rowCount} rows`)
} finally {
  await backups.close() // open connections keep the process alive
}
