import { createChecksum, type OpenChecksum } from './checksum.ts'

/** A part of a snapshot file, such as the rows of a table. */
export interface Section {
  /** Position of its first byte in the file. */
  offset: number
  bytes: number
  /** `sha256:…` of its bytes. */
  checksum: string
}

/** Hashes sections of bytes that arrive later. */
export interface SectionHasher {
  /** The next section begins at this position of the file, or the current one ends there. */
  cut: (position: number) => void
  /** Takes the next bytes of the file. A cut must be known before the bytes that follow it. */
  update: (bytes: Uint8Array) => void
  /** The sections that have ended, in their order. */
  sections: Section[]
}

/** @param start position of the first byte that update() receives */
export function createSectionHasher (start: number): SectionHasher {
  const cuts: number[] = []
  const sections: Section[] = []
  let position = start
  let open: { offset: number, checksum: OpenChecksum } | undefined

  function take (bytes: Uint8Array): void {
    open?.checksum.update(bytes)
    position += bytes.length
  }

  return {
    sections,
    cut (at) { cuts.push(at) },
    update (bytes) {
      const end = position + bytes.length
      let rest = bytes
      for (let [next] = cuts; next !== undefined && next <= end; [next] = cuts) {
        cuts.shift()
        const length = next - position
        take(rest.subarray(0, length))
        rest = rest.subarray(length)
        if (open === undefined) {
          open = { offset: next, checksum: createChecksum() }
        } else {
          sections.push({ offset: open.offset, bytes: next - open.offset, checksum: open.checksum.digest() })
          open = undefined
        }
      }
      take(rest)
    }
  }
}
