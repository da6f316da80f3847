import { parseSidecarName, sidecarName } from '../storage/sidecar-name.ts'
import { isNote } from '../arguments/check-arguments.ts'
import type { Context } from '../runs/context.ts'
import { publishText } from '../storage/publish-text.ts'

/** The content of the file beside a snapshot, which survives the loss of the log. */
export interface Sidecar { pinned: boolean, note: string | null, accepted: boolean }

/** In bytes. Every sidecar is smaller, since a note has at most 1,000 characters. */
const maxSidecarSize = 64 * 1024

/** An interrupted change may leave an old version in the storage. So many are removed without looking for them. */
const versionsToRemove = 10

/** Each version is written once: see BackupLog.reserveSidecar(). */
export async function writeSidecar (
  { storage }: Pick<Context, 'storage'>, filename: string, version: number, content: Sidecar
): Promise<void> {
  await publishText(storage, sidecarName(filename, version), JSON.stringify(content))
}

export async function removeSidecar (
  { storage }: Pick<Context, 'storage'>, filename: string, version: number
): Promise<void> {
  await storage.remove(sidecarName(filename, version))
}

/** Removes this version and all before it. Idempotent. */
export async function removeSidecars (
  context: Pick<Context, 'storage'>, filename: string, version: number
): Promise<void> {
  const last = Math.max(0, version - versionsToRemove)
  for (let old = version; old > last; old--) await removeSidecar(context, filename, old)
  if (last === 0) return
  // Calls that prevented each other may have reserved many versions after the last one that counted
  const names = (await context.storage.list(filename.replace(/json$/, 'sidecar-'))).map(({ name }) => name)
  for (const old of sidecarsBySnapshot(names).get(filename) ?? []) {
    if (old <= last) await removeSidecar(context, filename, old)
  }
}

/** The versions of each snapshot's sidecars, newest first. */
export function sidecarsBySnapshot (names: string[]): Map<string, number[]> {
  const versions = new Map<string, number[]>()
  for (const name of names) {
    const sidecar = parseSidecarName(name)
    if (sidecar === undefined) continue
    const { snapshot, version } = sidecar
    versions.set(snapshot, [...versions.get(snapshot) ?? [], version])
  }
  for (const found of versions.values()) found.sort((a, b) => b - a)
  return versions
}

/** Undefined when the file cannot be read, or is not a sidecar. */
export async function readSidecar (
  { storage }: Pick<Context, 'storage'>, filename: string, version: number
): Promise<Sidecar | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of await storage.open(sidecarName(filename, version))) {
      chunks.push(chunk)
      size += chunk.length
      if (size > maxSidecarSize) return undefined
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
