import type { Manifest } from '../../types/index.ts'

/**
 * A snapshot file is one JSON object in UTF-8, with one row per line:
 *
 *     {"manifest":{…}       ,
 *     "data":{
 *     "users":[
 *     {"id":"1","name":"Ada"},
 *     {"id":"2","name":"Bob"}
 *     ]
 *     }}
 *
 * The manifest comes first, although its counts are known last: the writer reserves space for the largest possible
 * manifest, writes it there at the end and pads it with spaces. Its checksum covers the data part, from the brace after
 * `"data":` to the matching one.
 */
export const formatVersion = 1
export const fileEnd = '}\n'
const beforeManifest = '{"manifest":'
const afterManifest = ',\n"data":'

/**
 * The name of a snapshot's file. Characters of the schema's name other than letters, digits, hyphens and underscores
 * are percent-encoded, so that the name is valid on every file system.
 */
export function snapshotFilename (schema: string, startedAt: Date): string {
  const name = Buffer.from(schema).toString('latin1').replaceAll(/[^A-Za-z0-9_-]/g, (character) =>
    `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
  return `${name}_${startedAt.toISOString().replaceAll(/[:.]/g, '-')}.json`
}

const schemaPattern = /^([\w%-]+)_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z\.json$/
const timePattern = /_(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z\.json$/

/** The schema in a name that snapshotFilename() returned; undefined for any other name. */
export function schemaOfFilename (name: string): string | undefined {
  const [, schema] = schemaPattern.exec(name) ?? []
  if (schema === undefined) return undefined
  const bytes = schema.replaceAll(/%([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}

/** The time at the end of a name, in the format of snapshotFilename(); undefined for any other name. */
export function timeOfFilename (name: string): Date | undefined {
  const [, day, hour, minute, second, milliseconds] = timePattern.exec(name) ?? []
  const time = new Date(`${day}T${hour}:${minute}:${second}.${milliseconds}Z`)
  return Number.isNaN(time.getTime()) ? undefined : time
}

/** The manifest with the largest possible counts, which determines how much space to reserve. */
export function largestManifest (manifest: Manifest): Manifest {
  return {
    ...manifest,
    tables: manifest.tables.map((table) => ({ ...table, rows: Number.MAX_SAFE_INTEGER })),
    totalRows: Number.MAX_SAFE_INTEGER,
    checksum: `sha256:${'0'.repeat(64)}`
  }
}

/** Everything before the data part, padded to `size` bytes. */
export function encodeHead (manifest: Manifest, size = 0): Buffer {
  const json = beforeManifest + JSON.stringify(manifest)
  const padding = ' '.repeat(Math.max(0, size - Buffer.byteLength(json) - afterManifest.length))
  return Buffer.from(json + padding + afterManifest)
}
