import { SnapshotInvalid } from '../errors.ts'

/** @param error of node:zlib, whose code contains no data of the file */
export const damaged = (error: unknown): Error => new SnapshotInvalid(
  `it cannot be decompressed (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'})`
)
