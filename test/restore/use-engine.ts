import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fastify } from 'fastify'
import { type ResolvedPluginOptions, resolveOptions } from '../../lib/options/resolve-options.ts'
import { createEngine } from '../../lib/create-engine.ts'
import type { BackupEngine } from '../../lib/service/backup-engine.ts'
import type { Backup, BackupOptions } from '../../types/index.ts'
import { useDirectory } from '../support/directory.ts'
import { builtWorker, inWorkers } from '../support/worker.ts'
import { testSchema } from '../support/database.ts'

export interface Scope { after: (clean: () => Promise<void>) => void }

export interface EngineUnderTest {
  engine: BackupEngine
  /** Where it keeps its snapshots. */
  storagePath: string
  /** The text of a snapshot file. */
  read: (backup: Backup) => string
}

const guard = async (): Promise<void> => {}

/** The library as an app would have it, on a directory of the test's own unless told, with restores allowed. Stopped after the test. */
export async function useEngine (t: Scope, options: BackupOptions): Promise<EngineUnderTest> {
  const storagePath = options.storagePath ?? await useDirectory(t)
  const engine = createEngine(resolve({ ...options, storagePath }), fastify({ logger: false }).log, undefined, builtWorker)
  t.after(async () => {
    await engine.stop()
    await engine.close()
  })
  return { engine, storagePath, read: ({ filename }) => readFileSync(join(storagePath, filename), 'utf8') }
}

function resolve (options: BackupOptions): ResolvedPluginOptions {
  const resolved = resolveOptions({ enabled: true, schema: testSchema, worker: inWorkers, auth: [guard], allowRestore: true, excludeTables: ['audit_logs'], ...options })
  if (!resolved.enabled) throw new TypeError('the test switched the plugin off')
  return resolved
}

/** What the snapshot's checksum covers: from the brace behind `"data":` to the one that closes it. */
export function dataPart (text: string): string {
  return text.slice(text.indexOf('"data":') + '"data":'.length)
}
