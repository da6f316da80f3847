const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** `1.4 MiB`; nothing for null. */
export function formatBytes (bytes: number | null): string {
  if (bytes === null) return ''
  let value = bytes
  let unit = 0
  // 1023.95 would be shown as 1024.0
  while (value >= (unit === 0 ? 1024 : 1023.95) && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

const counts = new Intl.NumberFormat('en')

/** `1,234,567`; nothing for null. */
export const formatCount = (count: number | null): string => count === null ? '' : counts.format(count)

/** `850 ms`, `12.3 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; nothing for null. */
export function formatDuration (ms: number | null): string {
  if (ms === null) return ''
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `2026-11-22 17:45:00`, in UTC. */
export const formatTime = (instant: string): string => instant.slice(0, 19).replace('T', ' ')
