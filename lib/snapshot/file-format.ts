import type { Backup, Manifest, ManifestTable } from '../../types/index.ts'
import { checksumOf } from './checksum.ts'
import type { Section } from './hash-sections.ts'

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
 * manifest, writes it there at the end and pads it with spaces.
 *
 * The checksum of a table covers the list of its rows, from bracket to bracket. The checksum of the manifest covers its
 * own bytes up to the comma before that last key. All other bytes of the file follow from the manifest.
 */
export const formatVersion = 1
const beforeManifest = '{"manifest":'
const afterManifest = ',\n"data":'

/**
 * The name of a snapshot's file. Characters of the schema's name other than letters, digits, hyphens and underscores
 * are percent-encoded, so that the name is valid on every file system. The name ends in `.json`, `.json.gz` or
 * `.json.zst`.
 */
export function snapshotFilename (
  schema: string, startedAt: Date, compression: Backup['compression'] = 'none'
): string {
  const name = Buffer.from(schema).toString('latin1').replaceAll(/[^A-Za-z0-9_-]/g, (character) =>
    `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
  return `${name}_${startedAt.toISOString().replaceAll(/[:.]/g, '-')}.json${suffixes[compression]}`
}

const suffixes: Record<Backup['compression'], string> = { none: '', gzip: '.gz', zstd: '.zst' }
/** What the name of a file says that it is compressed with. */
export function compressionOfFilename (name: string): Backup['compression'] {
  if (name.endsWith(suffixes.gzip)) return 'gzip'
  return name.endsWith(suffixes.zstd) ? 'zstd' : 'none'
}

/** The name of the same snapshot when it is not compressed. */
export const plainFilename = (name: string): string => name.replace(/(?:\.gz|\.zst)$/, '')

const schemaPattern = /^([\w%-]+)_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z\.json(?:\.gz|\.zst)?$/
const timePattern = /_(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z\.json(?:\.gz|\.zst)?$/

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

/** The description of a table before its rows are written. */
export type TableDraft = Omit<ManifestTable, keyof Section>
/** The manifest before the rows are written: without positions and checksums. */
export type ManifestDraft = Omit<Manifest, 'tables' | 'checksum'> & { tables: TableDraft[] }

/** Adds where the rows of each table are, in the order of the tables, and the checksum of the manifest. */
export function completeManifest (draft: ManifestDraft, sections: Section[]): Manifest {
  const tables = draft.tables.map(({ name, rows, ...rest }, index) => ({
    name, rows, ...sections[index] as Section, ...rest
  }))
  const manifest = { ...draft, tables }
  return { ...manifest, checksum: checksumOf(JSON.stringify(manifest).slice(0, -1)) }
}

/** The last key of a manifest, which its checksum does not cover. */
const lastKey = (checksum: string): string => `,"checksum":"${checksum}"}`
const noChecksum = `sha256:${'0'.repeat(64)}`

/** The checksum at the end of the bytes of a manifest. Undefined when it is not theirs. */
export function ownChecksum (manifest: Uint8Array): string | undefined {
  const covered = manifest.subarray(0, -lastKey(noChecksum).length)
  const checksum = checksumOf(covered)
  return Buffer.from(lastKey(checksum)).equals(manifest.subarray(covered.length)) ? checksum : undefined
}

/** The size of the head with the largest possible numbers, which the writer reserves, in bytes. */
export function largestHead (draft: ManifestDraft): number {
  const largest = Number.MAX_SAFE_INTEGER
  const section = { offset: largest, bytes: largest, checksum: noChecksum }
  const tables = draft.tables.map((table) => ({ ...table, rows: largest, ...section }))
  return encodeHead({ ...draft, tables, totalRows: largest, checksum: noChecksum }).length
}

/** Everything before the data part, padded to `size` bytes. */
export function encodeHead (manifest: Manifest, size = 0): Buffer {
  return frameManifest(JSON.stringify(manifest), size)
}

/** The same for a manifest as it is in a file. */
export function frameManifest (json: string, size: number): Buffer {
  const start = beforeManifest + json
  const padding = ' '.repeat(Math.max(0, size - Buffer.byteLength(start) - afterManifest.length))
  return Buffer.from(start + padding + afterManifest)
}

/**
 * What is between the head, or the rows of the table before, and the rows of this table.
 * @param index of the table in the manifest
 */
export function textBeforeRows ({ name }: TableDraft, index: number): string {
  return `${index === 0 ? '{' : ','}\n${JSON.stringify(name)}:`
}

/** What is after the rows of the last table. */
export function textAfterRows ({ tables }: ManifestDraft): string {
  return `${tables.length === 0 ? '{\n' : ''}\n}}\n`
}

/** The size of the head that the manifest of a complete file asks for, in bytes. */
export function headSizeOf (manifest: Manifest): number {
  const [first] = manifest.tables
  return first === undefined ? largestHead(manifest) : first.offset - Buffer.byteLength(textBeforeRows(first, 0))
}
