/** The browser may not know the type of a compressed file. */
export function contentTypeOf (filename: string): string {
  if (/\.gz$/i.test(filename)) return 'application/gzip'
  return /\.zst$/i.test(filename) ? 'application/zstd' : 'application/json'
}
