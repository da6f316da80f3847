// @ts-check
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
/** @import { BackupService } from 'fastify-backup' */
/** @import { Sql } from 'postgres' */

const days = 30
/** Counted from the first day. */
const failedDay = 9
const suspectDay = 18
const pinnedDay = 24

/** Tables that no other table refers to: the columns that an INSERT may name, those of the primary key first. */
const growing = [
  { table: 'reviews', key: 'id', others: 'product_id, customer_id, stars, body, votes, created_at' },
  { table: 'payments', key: 'id', others: 'order_id, method, amount, client, receipt, provider_response, paid_at' },
  { table: 'order_items', key: 'order_id, line', others: 'product_id, quantity, unit_price' }
]

/**
 * A month of nightly snapshots of a shop that grows, so that the admin page has something to show. The snapshots are
 * real, and end with the rows that the shop has now. Their times and names, and the failed run, are written into the
 * log by hand.
 * @param {{ backup: BackupService, sql: Sql, storagePath: string }} shop
 */
export async function createHistory ({ backup, sql, storagePath }) {
  const reserved = await sql.reserve()
  try {
    await reserved`ALTER TABLE payments DISABLE TRIGGER audit`
    for (const { table, key, others } of growing) {
      await reserved.unsafe(`CREATE TEMP TABLE all_${table} AS
        SELECT ${key}, ${others}, row_number() OVER (ORDER BY ${key})::float / count(*) OVER () AS portion
        FROM ${table}`)
    }
    for (let day = 0; day < days; day++) await addDay({ backup, sql: reserved, storagePath }, day)
    await fill(reserved, 1)
    for (const { table } of growing) await reserved.unsafe(`DROP TABLE all_${table}`)
    await reserved`ALTER TABLE payments ENABLE TRIGGER audit`
  } finally {
    reserved.release()
  }
}

/**
 * @param {{ backup: BackupService, sql: Sql, storagePath: string }} shop
 * @param {number} day
 */
async function addDay ({ backup, sql, storagePath }, day) {
  const startedAt = new Date()
  startedAt.setUTCHours(2, 0, day % 7, 137)
  startedAt.setUTCDate(startedAt.getUTCDate() - (days - day))
  if (day === failedDay) {
    await sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, cron, error, started_at, finished_at)
      VALUES (gen_random_uuid(), 'public', 'public_failed.json', 'failed', 'scheduled', '0 2 * * *',
        'The storage failed (ENOSPC): there is no space left', ${startedAt}, ${startedAt}::timestamptz + '0.2 s')`
    return
  }
  await fill(sql, 0.5 + 0.5 * day / days)
  if (day === suspectDay) await sql`DELETE FROM payments WHERE method <> 'voucher'`
  const { id, filename } = await backup.create()
  const dated = `public_${startedAt.toISOString().replace(/[:.]/g, '-')}.json`
  await rename(join(storagePath, filename), join(storagePath, dated))
  const pinned = day === pinnedDay
  await sql`UPDATE backup_logs SET trigger = 'scheduled', cron = '0 2 * * *', created_by = NULL,
      filename = ${dated}, started_at = ${startedAt}, inserted_at = ${startedAt},
      finished_at = ${startedAt}::timestamptz + duration_ms * interval '1 ms'
    WHERE id = ${id}`
  if (pinned) await backup.update(id, { pinned, note: 'before the new price list' })
}

/**
 * Lets each growing table have this share of its rows.
 * @param {Sql} sql
 * @param {number} share
 */
async function fill (sql, share) {
  for (const { table, key, others } of growing) {
    await sql.unsafe(`
      DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM all_${table} WHERE portion > ${share});
      INSERT INTO ${table} (${key}, ${others}) SELECT ${key}, ${others} FROM all_${table}
        WHERE portion <= ${share} ON CONFLICT DO NOTHING`)
  }
}
