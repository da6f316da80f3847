import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestScope } from './database.ts'

/** An empty directory that is removed after the test. */
export async function useDirectory (t: TestScope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fastify-backup-test-'))
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  return directory
}
