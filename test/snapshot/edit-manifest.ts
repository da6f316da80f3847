import { createHash } from 'node:crypto'
import { frameManifest } from '../../lib/snapshot/file-format.ts'
import type { Manifest } from '../../types/index.ts'

/**
 * The file of a snapshot with an edit in its manifest, as somebody would make it who also corrects the positions and
 * the checksum.
 * @param edit receives and returns the JSON of the manifest
 */
export function editManifest (file: string | Buffer, edit: (json: string) => string): Buffer {
  const bytes = Buffer.from(file)
  const before = bytes.indexOf('"data":') + '"data":'.length
  const line = bytes.subarray(0, bytes.indexOf('\n')).toString()
  const { checksum, ...rest } = JSON.parse(edit(line.replace('{"manifest":', '').replace(/ *,$/, ''))) as Manifest
  const after = before + 1000 + JSON.stringify(rest).length
  const tables = rest.tables.map((table) => ({ ...table, offset: table.offset + after - before }))
  const covered = JSON.stringify({ ...rest, tables }).slice(0, -1)
  const sum = createHash('sha256').update(covered).digest('hex')
  return Buffer.concat([frameManifest(`${covered},"checksum":"sha256:${sum}"}`, after), bytes.subarray(before)])
}
