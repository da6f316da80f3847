import { isUtf8 } from 'node:buffer'
import { LimitExceeded, SnapshotInvalid } from '../errors.ts'
import type { JsonCursor } from './codec/json-cursor.ts'
import { frameManifest, ownChecksum } from './file-format.ts'
import type { ReadLimits } from './snapshot-input.ts'

/** What precedes the data part of a file. */
export interface Head {
  /** Of the manifest. */
  json: string
  /** The manifest ends with the checksum of its own bytes. */
  isManifestIntact: boolean
  /** What is around the manifest is what the format asks for, byte for byte. */
  isFrameIntact: boolean
}

const COMMA = 0x2c
const OPEN_BRACE = 0x7b

/** Parses the key `data` and what precedes it, from the first byte of the file. */
export function readHead (cursor: JsonCursor, { manifestBytes }: ReadLimits): Head {
  cursor.skipSpace()
  cursor.expect(OPEN_BRACE, 'a JSON object')
  if (cursor.readKey() !== 'manifest') throw new SnapshotInvalid('it does not begin with a manifest')
  const start = cursor.position
  cursor.skipValue()
  const manifest = cursor.bytes.subarray(start, cursor.position)
  if (manifest.length > manifestBytes) {
    throw new LimitExceeded('the manifest', `manifestBytes allows (${manifestBytes} bytes)`)
  }
  cursor.skipSpace()
  cursor.expect(COMMA, 'a comma after the manifest')
  if (cursor.readKey() !== 'data') throw new SnapshotInvalid('no data follow the manifest')
  cursor.peek()
  // toString() replaces what is not UTF-8 by U+FFFD
  if (!isUtf8(manifest)) throw new SnapshotInvalid('the manifest is not UTF-8')
  const json = manifest.toString()
  const head = cursor.bytes.subarray(0, cursor.position)
  return {
    json,
    isManifestIntact: ownChecksum(manifest) !== undefined,
    isFrameIntact: frameManifest(json, head.length).equals(head)
  }
}
