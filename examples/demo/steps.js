// @ts-check
import { createHash } from 'node:crypto'
import { compareContent, expectContent, readContent } from './content-hash.js'
import { formatBytes, formatCount, formatDuration } from './output.js'
import { damage } from './shop-data.js'
/** @import { Backup, BackupList, RestorePlan, RestoreResult } from 'fastify-backup' */
/** @import { Sql } from 'postgres' */
/** @import { Client } from './client.js' */
/** @import { Content } from './content-hash.js' */
/** @import { Say, Step } from './output.js' */

export const adminPath = '/admin/backup'

/**
 * From the first call to the proof. Everything goes over HTTP, except the damage.
 * @param {{ step: Step, request: Client, sql: Sql }} tools
 * @returns {Promise<Backup>} the snapshot that was restored
 */
export async function runSteps ({ step, request, sql }) {
  await step('An anonymous call is refused', async (say) => {
    const response = await request('GET', adminPath, { anonymous: true, expect: 401 })
    say(`GET ${adminPath} → ${response.status} ${await response.text()}`)
  })

  const before = await readContent(sql)

  const backup = await step('A backup is created', async (say) => {
    const response = await request('POST', adminPath, { body: { note: 'before the clean-up' }, expect: 201 })
    const backup = /** @type {Backup} */ (await response.json())
    say(`POST ${adminPath} → 201 ${response.headers.get('location')}`)
    say(`${backup.filename}: ${describeSize(backup)} in ${formatDuration(backup.durationMs ?? 0)}`)
    return backup
  })

  await step('The backup is listed', async (say) => {
    const list = await listBackups(request, 1)
    const lines = list.backups.map((found) => `${found.trigger}, ${found.status}, by ${found.createdBy}: ${found.note}`)
    say(`GET ${adminPath}?limit=1 → 200, ${lines.join('; ')}`)
  })

  await step('The snapshot is downloaded: one JSON file, one row per line', async (say, quote) => {
    const { lines, sizeBytes, checksum } = await download(request, backup.id)
    if (checksum !== backup.checksum) {
      throw new Error(`The manifest of the download has the checksum ${checksum}, but the log has ${backup.checksum}`)
    }
    say(`GET ${adminPath}/:id/download → 200, ${formatBytes(sizeBytes)}, ${checksum.slice(0, 19)}… as in the log:`)
    for (const line of lines) quote(line)
  })

  const damaged = await step('A clean-up meant for staging runs here', async (say) => {
    await sql.unsafe(damage)
    const damaged = await readContent(sql)
    const changed = compareContent(before, damaged)
    say(`Of ${before.tables.size} tables and ${before.sequences.size} sequences, ${changed.length} have changed: ` +
      changed.join(', '))
    return damaged
  })

  await step('The plan shows what a restore would change', async (say) => {
    const response = await request('POST', `${adminPath}/${backup.id}/plan`)
    const plan = /** @type {RestorePlan} */ (await response.json())
    const changing = plan.tables.filter(({ rowsNow, rowsAfter }) => rowsNow !== rowsAfter)
    say(changing.map(({ name, rowsNow, rowsAfter }) =>
      `${name} ${formatCount(rowsNow)} → ${formatCount(rowsAfter)}`).join(', '))
    const drift = plan.drift.length === 0 ? 'none' : JSON.stringify(plan.drift)
    say(`untouched: ${plan.untouched.join(', ')}; drift: ${drift}`)
  })

  await step('The snapshot is restored, in one transaction', async (say) => {
    const response = await request('POST', `${adminPath}/${backup.id}/restore`)
    const result = /** @type {RestoreResult} */ (await response.json())
    const phases = Object.entries(result.phases).map(([name, ms]) => `${name.replace('Ms', '')} ${formatDuration(ms)}`)
    say(`${formatCount(result.rowCount)} rows in ${formatDuration(result.durationMs)}: ${phases.join(', ')}`)
    const saved = (await listBackups(request)).backups.find(({ id }) => id === result.preRestoreId)
    if (saved === undefined) throw new Error(`The list lacks the pre_restore snapshot ${result.preRestoreId}`)
    say(`The damaged rows were saved first, as a ${saved.trigger} snapshot: ${describeSize(saved)}`)
  })

  const after = await step('Every table and every sequence is as it was', async (say) => {
    const after = await readContent(sql)
    prove({ before, damaged, after, say })
    return after
  })

  await step('audit_logs is excluded by default, so it still records the damage', async (say) => {
    const hashes = [damaged, after].map(({ tables }) => tables.get('audit_logs')?.hash.slice(0, 8))
    const [audit] = await sql`
      SELECT count(*)::integer AS rows, (count(*) FILTER (WHERE operation = 'DELETE'))::integer AS deleted,
        (count(*) FILTER (WHERE operation = 'UPDATE'))::integer AS updated,
        (count(*) FILTER (WHERE operation = 'TRUNCATE'))::integer AS truncated
      FROM audit_logs`
    say(`${formatCount(audit?.rows)} entries, hash ${hashes[0]} before the restore and ${hashes[1]} after it. ` +
      'The damage: ' +
      `${formatCount(audit?.updated)} rows updated, ${formatCount(audit?.deleted)} deleted, ` +
      `${formatCount(audit?.truncated)} tables truncated`)
  })

  return backup
}

/**
 * @param {{ before: Content, damaged: Content, after: Content, say: Say }} contents
 * @throws if the content differs from that before the damage, or if there was no damage
 */
export function prove ({ before, damaged, after, say }) {
  const expected = expectContent(before, damaged, ['audit_logs'])
  const different = compareContent(expected, after)

  say(`${'table'.padEnd(14)}${'rows'.padStart(8)}   before     damaged    restored`)
  for (const [name, { rows, hash }] of after.tables) {
    const hashes = [before.tables.get(name)?.hash, damaged.tables.get(name)?.hash, hash]
    const isRestored = expected.tables.get(name) === before.tables.get(name)
    const verdict = different.includes(name) ? 'DIFFERENT' : isRestored ? 'as before' : 'kept as it is'
    const columns = hashes.map((text) => (text ?? 'missing').slice(0, 8).padEnd(11)).join('')
    say(`${name.padEnd(14)}${formatCount(rows).padStart(8)}   ${columns}${verdict}`)
  }
  say(`sequences: ${[...after.sequences].map(([name, state]) => `${name.replace(/_seq$/, '')} ${state}`).join(', ')}`)

  if (different.length > 0) throw new Error(`The restore did not bring back ${different.join(', ')}`)
  if (compareContent(before, damaged).length === 0) throw new Error('Nothing was damaged, so nothing is proved')
}

/**
 * @param {Client} request
 * @param {number} limit
 */
async function listBackups (request, limit = 100) {
  return /** @type {BackupList} */ (await (await request('GET', `${adminPath}?limit=${limit}`)).json())
}

/**
 * @param {Client} request
 * @param {string} id
 */
async function download (request, id) {
  const { body } = await request('GET', `${adminPath}/${id}/download`)
  const decoder = new TextDecoder()
  let head = ''
  let sizeBytes = 0
  for await (const chunk of body ?? []) {
    sizeBytes += chunk.length
    if (head.length < 100_000) head += decoder.decode(chunk, { stream: true })
  }
  const lines = head.split('\n').slice(0, 6)
  const manifest = String(lines[0]).slice('{"manifest":'.length)
  const covered = manifest.slice(0, manifest.lastIndexOf(',"checksum":'))
  return { lines, sizeBytes, checksum: `sha256:${createHash('sha256').update(covered).digest('hex')}` }
}

/** @param {Backup} backup */
function describeSize ({ tableCount, rowCount, sizeBytes }) {
  return `${tableCount} tables, ${formatCount(rowCount ?? 0)} rows, ${formatBytes(sizeBytes ?? 0)}`
}
