import * as promises from 'node:fs/promises'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createFileSystemStorage } from '../../lib/storage/file-system-storage.ts'
import type { SnapshotStorage } from '../../types/index.ts'
import { useEngine, usePlace } from '../support/engine.ts'

interface CountingStorage {
  storage: SnapshotStorage
  /** The calls of the storage and of the file system since the last call of counts(). */
  counts: () => Record<string, number>
}

/** The file system's storage with counters. */
function countingStorage (directory: string): CountingStorage {
  let counts: Record<string, number> = {}
  const count = (name: string): void => { counts[name] = (counts[name] ?? 0) + 1 }
  const counted = <T extends object> (target: T, names: string[]): T => new Proxy(target, {
    get (object, name) {
      if (names.includes(String(name))) count(String(name))
      return Reflect.get(object, name)
    }
  })
  const fs = counted(promises, ['readdir', 'lstat', 'stat'])
  const storage = counted(createFileSystemStorage(directory, fs), ['publish', 'open', 'remove', 'list'])
  return {
    storage,
    counts () {
      const last = counts
      counts = Object.fromEntries(Object.keys(last).map((name) => [name, 0]))
      return last
    }
  }
}

t.test('20,000 snapshots of other tenants cause no further storage call and no large status', async (t) => {
  const place = await usePlace(t)
  const { storage, counts } = countingStorage(place.directory)
  // The number of its own snapshots stays the same
  const engine = useEngine(t, place, { storage, maxBackups: 1 })
  await engine.create()
  await engine.create()
  counts()
  const measure = async (): Promise<object> => {
    const calls = []
    for (const call of [() => engine.create(), () => engine.status(), () => engine.create()]) {
      await call()
      calls.push(counts())
    }
    return calls
  }
  const before = await measure()
  const suffix = '_2026-11-22T17-45-00-123Z.json'
  await place.sql`INSERT INTO backup_logs (id, schema, filename, status, trigger, started_at, finished_at, size_bytes,
      table_count, row_count, checksum, has_file)
    SELECT gen_random_uuid(), 'tenant' || i, 'tenant' || i || ${suffix}, 'completed', 'manual', now(), now(), 1, 1, 1,
      'sha256:', true
    FROM generate_series(1, 20000) AS i`
  for (let index = 1; index <= 20_000; index += 500) {
    await Promise.all(Array.from({ length: 500 }, async (_, offset) => {
      await writeFile(join(place.directory, `tenant${index + offset}${suffix}`), 'x')
    }))
  }
  t.strictSame(await measure(), before)
  const status = await engine.status()
  t.strictSame(status.problems, [])
  t.equal(status.newest.length, 100)
  t.ok(Number(status.bytesHeld) > 20_000)
  t.ok(JSON.stringify(status).length < 200_000)
})
