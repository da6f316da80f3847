import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { brotliCompressSync, gzipSync } from 'node:zlib'

/** A file of the page in every encoding that it is served in. */
export interface Asset {
  contentType: string
  etag: string
  /** The name contains a hash of the contents, so that the file never changes. */
  isImmutable: boolean
  encodings: Partial<Record<'br' | 'gzip', Buffer>> & { identity: Buffer }
}

/** The files that ui/build.js made, by name, and the names of those that the page refers to. */
export interface BuiltPage { assets: Map<string, Asset>, script: string, style: string, icon: string }

interface BuiltFile { name: string, contentType: string }

const folder = new URL('../../../ui/', import.meta.url)

let built: BuiltPage | undefined

/** Reads the built page once for all registrations. */
export function loadPage (): BuiltPage {
  built ??= readPage()
  return built
}

function readPage (): BuiltPage {
  const read = (name: string): Buffer => readFileSync(new URL(name, folder))
  const files: Record<'script' | 'style' | 'icon', BuiltFile> = JSON.parse(read('files.json').toString())
  const assets = new Map(Object.values(files).map(({ name, contentType }) => [name, {
    contentType,
    etag: etagOf(Buffer.from(name)),
    isImmutable: true,
    encodings: { identity: read(name), br: read(`${name}.br`), gzip: read(`${name}.gz`) }
  }]))
  return { assets, script: files.script.name, style: files.style.name, icon: files.icon.name }
}

/** An asset that depends on the options. Compresses text. */
export function createAsset (contentType: string, bytes: Buffer): Asset {
  const isText = /^text\/|svg/.test(contentType)
  return {
    contentType,
    etag: etagOf(bytes),
    isImmutable: false,
    encodings: { identity: bytes, ...isText && { br: brotliCompressSync(bytes), gzip: gzipSync(bytes) } }
  }
}

/** Weak, because the same one serves all encodings (RFC 9110, 8.8.3.3). */
const etagOf = (bytes: Buffer): string => `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
