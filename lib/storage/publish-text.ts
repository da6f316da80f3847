import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SnapshotStorage } from '../../types/index.ts'

/** Publishes a small file, which it writes to the system's temporary directory first. */
export async function publishText (
  storage: Pick<SnapshotStorage, 'publish'>,
  name: string,
  text: string
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'fastify-backup-'))
  try {
    const path = join(directory, 'file')
    await writeFile(path, text, { mode: 0o600, flush: true })
    await storage.publish(path, name)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
