import type { ByteSink, OpenSink } from '../pipeline/byte-sink.ts'
import type { Compression } from '../pipeline/codec.ts'
import { requireCodec } from '../pipeline/codecs.ts'
import { openCompressingSink } from '../pipeline/compressing-sink.ts'
import { openSpoolSink } from '../storage/spool-sink.ts'

/** Where and how a snapshot is written, as plain data. */
export interface Destination {
  /** The file is written here. It is moved to the storage when it is complete. */
  spoolPath: string
  /** Null for none. */
  compression: Compression | null
}

/** All stages between the JSON of a snapshot and its file. */
export const sinkFor = ({ spoolPath, compression }: Destination): OpenSink => async (headSize): Promise<ByteSink> => {
  const openFile: OpenSink = async (size) => await openSpoolSink(spoolPath, size)
  if (compression === null) return await openFile(headSize)
  return await openCompressingSink(requireCodec(compression.type), compression, openFile, headSize)
}
