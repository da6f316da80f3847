import { createHash } from 'node:crypto'

/** A SHA-256 that is not complete yet. */
export interface OpenChecksum {
  update: (bytes: Uint8Array) => void
  /** `sha256:` and 64 hexadecimal digits. */
  digest: () => string
}

export function createChecksum (): OpenChecksum {
  const hash = createHash('sha256')
  return {
    update (bytes) { hash.update(bytes) },
    digest: () => `sha256:${hash.digest('hex')}`
  }
}

/** Of text, in UTF-8. */
export function checksumOf (content: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
