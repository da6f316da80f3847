import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { markerName, parseMarker } from '../../lib/storage/marker.ts'

/** Writes a marker of a service on another cluster. Returns its name. */
export async function putMarker ({ directory }: { directory: string }, renewedAt: number): Promise<string> {
  const name = markerName({ database: '0123456789ab', log: '16400', instance: 'cafe0123', renewedAt })
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, name), '')
  return name
}

/** Names of the markers in a directory, which may be missing. */
export async function markersOf ({ directory }: { directory: string }): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).filter((name) => parseMarker(name) !== undefined)
}
