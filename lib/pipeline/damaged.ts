import { SnapshotInvalid } from '../errors.ts'
import { codeOf } from '../own-error.ts'

/** @param error of node:zlib, whose code contains no data of the file */
export const damaged = (error: unknown): Error =>
  new SnapshotInvalid(`it cannot be decompressed (${codeOf(error)})`)
