/** The longest name that common file systems hold (POSIX NAME_MAX on ext4, XFS, APFS, NTFS). */
const longestName = 255

/**
 * Whether `name` is a bare file name as the plugin makes them, `{schema}_{timestamp}.json`: no separator, no drive, no stream, no leading
 * dot, at most 255 bytes. Joined to a directory it stays in it. Spool and temporary files begin with a dot, so they are never one.
 */
export function isSnapshotName (name: string): boolean {
  return name.length <= longestName && /^[A-Za-z0-9%_-][A-Za-z0-9%_.-]*\.json$/.test(name)
}
