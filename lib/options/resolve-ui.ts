import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import type { BackupOptions } from '../../types/index.ts'
import { OptionInvalid } from '../errors.ts'

export interface Logo { bytes: Buffer, contentType: string }

/** The settings of the admin page, with their defaults. */
export interface ResolvedUi {
  readonly isPublic: boolean
  readonly title: string
  /** `#rrggbb` */
  readonly accent: string
  readonly logo: Logo | null
}

const maxLogoBytes = 262_144

/** The subtypes that differ from the ending of the file. */
const imageTypes: Record<string, string> = { svg: 'svg+xml', jpg: 'jpeg' }

/**
 * Reads the logo, so that a wrong path fails the registration.
 * @throws FST_BACKUP_OPTION_INVALID
 */
export function resolveUi (given: BackupOptions['ui']): ResolvedUi | null {
  if (given === undefined || given === false) return null
  const { public: isPublic = false, title = 'Backups', accent = '#2f6f4f', logo } = given === true ? {} : given
  return { isPublic, title, accent: longForm(accent), logo: logo === undefined ? null : readLogo(logo) }
}

/** `#abc` as `#aabbcc`. */
const longForm = (color: string): string =>
  (color.length === 4 ? color.replace(/[^#]/g, '$&$&') : color).toLowerCase()

function readLogo (path: string): Logo {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new OptionInvalid(`option 'ui.logo' is a file that cannot be read: ${String(error)}`)
  }
  if (bytes.length > maxLogoBytes) throw new OptionInvalid("option 'ui.logo' is a file of more than 256 KiB")
  const ending = extname(path).slice(1)
  return { bytes, contentType: `image/${imageTypes[ending] ?? ending}` }
}
