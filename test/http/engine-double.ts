import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { NotFound } from '../../lib/errors.ts'
import type { BackupEngine } from '../../lib/service/backup-engine.ts'
import type { Backup, CompletedBackup, Manifest, RestorePlan, RestoreResult } from '../../types/index.ts'

type Call = Exclude<keyof BackupEngine, 'on' | 'once' | 'off' | 'start' | 'forCaller'>

/** An engine without a database, which records its calls and keeps backups in memory. */
export interface EngineDouble extends BackupEngine {
  /** All calls in order, with their arguments. */
  calls: Array<[string, ...unknown[]]>
  /** Adds a completed backup whose file has this content. */
  put: (content?: string | Buffer, changes?: Partial<Backup>) => CompletedBackup
  /** Makes calls of this name reject. */
  fail: (call: Call, error: unknown) => void
  /** Later runs do not end before the returned function is called. */
  hold: () => () => void
  /** The streams of the downloads so far. */
  streams: Readable[]
  /** Creates the stream of a download. */
  openStream: (bytes: Buffer) => Readable
}

/** A completed backup, unless the changes of the test say something else. */
export function createBackup (changes: Partial<Backup> = {}): CompletedBackup {
  return Object.assign({
    id: randomUUID(),
    schema: 'public',
    filename: 'public_2026-11-22T17-45-00-123Z.json',
    status: 'completed' as const,
    trigger: 'manual' as const,
    compression: 'none' as const,
    sizeBytes: 0,
    storedBytes: 0,
    tableCount: 1,
    rowCount: 2,
    checksum: `sha256:${'0'.repeat(64)}`,
    available: true,
    error: null,
    errorCode: null,
    createdBy: null,
    cron: null,
    note: null,
    origin: null,
    partial: false,
    excludedTables: [],
    pinned: false,
    suspect: null,
    accepted: false,
    held: false,
    warnings: [],
    verification: null,
    startedAt: '2026-11-22T17:45:00.123Z',
    finishedAt: '2026-11-22T17:45:01.123Z',
    durationMs: 1000,
    restoredAt: null,
    restoredBy: null,
    restore: null,
    restores: []
  }, changes as Partial<CompletedBackup>)
}

const running = {
  status: 'running' as const,
  sizeBytes: null,
  storedBytes: null,
  checksum: null,
  finishedAt: null,
  durationMs: null,
  available: false
}

export const sampleManifest = (id: string): Manifest => ({
  version: 1,
  id,
  schema: 'public',
  createdAt: '2026-11-22T17:45:00.123Z',
  trigger: 'manual',
  note: null,
  database: 'shop',
  postgres: '18.4',
  tables: [{
    name: 'users',
    rows: 2,
    offset: 900,
    bytes: 54,
    checksum: `sha256:${'1'.repeat(64)}`,
    columns: [{ name: 'id', type: 'bigint' }, { name: 'rank', type: 'rank', encoding: 'number' }]
  }],
  sequences: [{ name: 'users_id_seq', ownedBy: 'users.id', lastValue: '2', isCalled: true }],
  totalRows: 2,
  totalTables: 1,
  checksum: `sha256:${'0'.repeat(64)}`
})

export const samplePlan = (id: string): RestorePlan =>
  ({
    id,
    schema: 'public',
    tables: [{ name: 'users', rowsNow: 1, rowsAfter: 2 }],
    untouched: ['audit_logs'],
    drift: [],
    sequences: [],
    warnings: [],
    ok: true
  })

export const sampleResult = (id: string): RestoreResult => ({
  id,
  preRestoreId: '11111111-1111-4111-8111-111111111111',
  schema: 'public',
  tables: [{ name: 'users', rows: 2 }],
  rowCount: 2,
  drift: [],
  durationMs: 3,
  phases: { startMs: 1, verifyMs: 1, planMs: 0, lockMs: 0, snapshotMs: 1, loadMs: 1, finishMs: 0 }
})

export function createEngineDouble (): EngineDouble {
  const backups = new Map<string, Backup>()
  const files = new Map<string, Buffer>()
  const failures = new Map<string, unknown>()
  let gate: Promise<void> = Promise.resolve()

  function called (name: Call, ...values: unknown[]): void {
    engine.calls.push([name, ...values])
    if (failures.has(name)) throw failures.get(name)
  }

  function find (id: string): Backup {
    const backup = backups.get(id)
    if (backup === undefined) throw new NotFound(id)
    return backup
  }

  const engine: EngineDouble = {
    calls: [],
    forCaller: () => engine,
    streams: [],
    openStream: (bytes) => Readable.from([bytes]),
    put (content = '{"manifest":{}}', changes = {}) {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content
      const { sizeBytes = bytes.length } = changes
      const backup = createBackup({
        sizeBytes,
        storedBytes: sizeBytes,
        checksum: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
        ...changes
      })
      backups.set(backup.id, backup)
      files.set(backup.id, bytes)
      return backup
    },
    fail (call, error) { failures.set(call, error) },
    hold () {
      let release = (): void => {}
      gate = new Promise((resolve) => { release = resolve })
      return release
    },
    async beginCreate (options) {
      called('beginCreate', options)
      const backup = engine.put('{}', {
        schema: options?.schema ?? 'public', createdBy: options?.actor ?? null, note: options?.note ?? null
      })
      const finished = gate.then(() => {
        called('create')
        return backup
      })
      finished.catch(() => {})
      return { backup: { ...backup, ...running }, finished }
    },
    async beginRestore (id, options) {
      called('beginRestore', id, options)
      const backup = find(id)
      const finished = gate.then(() => {
        called('restore')
        return sampleResult(id)
      })
      finished.catch(() => {})
      return { backup, finished }
    },
    async follow ({ onBatch }) {
      called('follow')
      onBatch({ events: [], position: '7' })
    },
    async verify (id) {
      called('verify', id)
      find(id)
      return { ok: true, problems: [] }
    },
    async import (source, options) {
      called('import', options)
      return engine.put(await buffer(source), { trigger: 'import', createdBy: options?.actor ?? null })
    },
    create: async (options) => await (await engine.beginCreate(options)).finished,
    restore: async (id, options) => await (await engine.beginRestore(id, options)).finished,
    async list (query) {
      called('list', query)
      return { backups: [...backups.values()], next: null }
    },
    async get (id) {
      called('get', id)
      return find(id)
    },
    async download (id, range) {
      called('download', id, range)
      const { filename, sizeBytes, checksum } = find(id)
      const bytes = files.get(id) ?? Buffer.alloc(0)
      const stream = engine.openStream(range === undefined ? bytes : bytes.subarray(range.start, range.end + 1))
      engine.streams.push(stream)
      return { stream, filename, sizeBytes: sizeBytes ?? 0, checksum: checksum ?? '' }
    },
    async manifest (id) {
      called('manifest', id)
      find(id)
      return sampleManifest(id)
    },
    async plan (id, options) {
      called('plan', id, options)
      find(id)
      return samplePlan(id)
    },
    async remove (id) {
      called('remove', id)
      find(id)
      backups.delete(id)
    },
    async update (id, changes) {
      called('update', id, changes)
      const found = find(id)
      const { pinned = found.pinned, note = found.note, accepted = found.accepted } = changes
      const backup = { ...found, pinned, note, accepted }
      backups.set(id, backup)
      return backup
    },
    async prune () {
      called('prune')
      return []
    },
    async rescan () {
      called('rescan')
      return { adopted: [], missing: [] }
    },
    async status (query) {
      called('status', query)
      return {
        healthy: true,
        problems: [],
        newestGood: [],
        newestNext: null,
        allowRestore: false,
        can: { create: true, restore: false, import: true, remove: true },
        nextRunAt: null,
        running: [],
        newest: [...backups.values()],
        bytesHeld: 0
      }
    },
    async metrics () {
      called('metrics')
      return { schemas: [], runs: [], nextSlotAt: null }
    },
    on: () => engine,
    once: () => engine,
    off: () => engine,
    start () { engine.calls.push(['start']) },
    async stop () { called('stop') },
    async close () { called('close') }
  }
  return engine
}
