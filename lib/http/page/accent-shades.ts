/** The surfaces that the accent is used on: those of ui/style/tokens.css. */
const lightSurface = '#ffffff'
const darkSurface = '#161a1d'

/** WCAG 2.2, 1.4.3: contrast of text. The surfaces of the page differ a little from these two, hence the margin. */
const minContrast = 5.2

export interface AccentShades {
  /** For text and lines on a light surface. Also the color of buttons, with white text on it. */
  light: string
  /** The same on a dark surface, with dark text on buttons. */
  dark: string
}

/** Darkens and lightens the color in steps of a fiftieth until text in it can be read. */
export function accentShades (accent: string): AccentShades {
  return { light: untilReadable(accent, '#000000', lightSurface), dark: untilReadable(accent, '#ffffff', darkSurface) }
}

function untilReadable (color: string, towards: string, surface: string): string {
  let shade = color
  for (let step = 1; contrast(shade, surface) < minContrast; step++) shade = mix(color, towards, step / 50)
  return shade
}

/** Of red, green and blue in `#rrggbb`. */
const offsets = [1, 3, 5]

const channel = (color: string, offset: number): number => Number.parseInt(color.slice(offset, offset + 2), 16)

function mix (from: string, to: string, share: number): string {
  const mixed = offsets.map((offset) => {
    const value = channel(from, offset)
    return Math.round(value + (channel(to, offset) - value) * share)
  })
  return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`
}

/** WCAG 2.2, "contrast ratio". */
export function contrast (a: string, b: string): number {
  const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (lighter + 0.05) / (darker + 0.05)
}

/** WCAG 2.2, "relative luminance", of a color in sRGB. */
function luminance (color: string): number {
  const [red = 0, green = 0, blue = 0] = offsets.map((offset) => {
    const share = channel(color, offset) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
