import { parseSidecarName, sidecarName } from '../storage/sidecar-name.ts'
import { isNote } from '../arguments/check-arguments.ts'
import type { Context } from '../runs/context.ts'
import { publishText } from '../storage/publish-text.ts'

/** What is kept beside a snapshot, so that it survives the log. */
export interface Sidecar { pinned: boolean, note: string | null, accepted: boolean }

/** A sidecar is smaller: a note has at most 1,000 characters. */
const largestSidecar = 64 * 1024

/** A change that is cut off may leave a version behind. So many of them are looked for. */
const versionsLeft = 10

/** A version is written once: see BackupLog.reserveSidecar(). */
export async function writeSidecar ({ storage }: Pick<Context, 'storage'>, filename: string, version: number, content: Sidecar): Promise<void> {
  await publishText(storage, sidecarName(filename, version), JSON.stringify(content))
}

export async function removeSidecar ({ storage }: Pick<Context, 'storage'>, filename: string, version: number): Promise<void> {
  await storage.remove(sidecarName(filename, version))
}

/** This version and the nine before it. Idempotent. */
export async function removeSidecars (context: Pick<Context, 'storage'>, filename: string, version: number): Promise<void> {
  for (let old = version; old > Math.max(0, version - versionsLeft); old--) await removeSidecar(context, filename, old)
}

/** Versions of the sidecars of each snapshot, newest first, among the names in the storage. */
export function sidecarsBySnapshot (names: string[]): Map<string, number[]> {
  const versions = new Map<string, number[]>()
  for (const name of names) {
    const sidecar = parseSidecarName(name)
    if (sidecar !== undefined) versions.set(sidecar.snapshot, [...versions.get(sidecar.snapshot) ?? [], sidecar.version])
  }
  for (const found of versions.values()) found.sort((a, b) => b - a)
  return versions
}

/** Undefined when it can not be read, or is no sidecar. */
export async function readSidecar ({ storage }: Pick<Context, 'storage'>, filename: string, version: number): Promise<Sidecar | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of await storage.open(sidecarName(filename, version))) {
      chunks.push(chunk)
      size += chunk.length
      if (size > largestSidecar) return undefined
    }
    return parseSidecar(Buffer.concat(chunks).toString())
  } catch {
    return undefined
  }
}

function parseSidecar (text: string): Sidecar | undefined {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) return undefined
  const { pinned, note, accepted } = value as Partial<Record<keyof Sidecar, unknown>>
  const isSidecar = typeof pinned === 'boolean' && typeof accepted === 'boolean' && (note === null || isNote(note))
  return isSidecar ? { pinned, note, accepted } : undefined
}
