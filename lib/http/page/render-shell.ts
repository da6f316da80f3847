import type { ResolvedUi } from '../../options/resolve-ui.ts'
import type { BuiltPage } from './load-assets.ts'
import { accentShades } from './accent-shades.ts'

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** The HTML of the page. It contains no data: the script requests them. All addresses are relative. */
export function renderShell ({ script, style, icon }: BuiltPage, { title, isPublic, logo }: ResolvedUi): string {
  const settings = [
    `page-title="${escape(title)}"`, ...isPublic ? ['asks-for-token'] : [], ...logo === null ? [] : ['has-logo']
  ].join(' ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${escape(title)}</title>
<link rel="icon" href="${icon}" type="image/svg+xml">
<link rel="stylesheet" href="${style}">
<link rel="stylesheet" href="accent.css">
<script type="module" src="${script}"></script>
</head>
<body>
<noscript>This page needs JavaScript. The routes of the service, and the command line, work without it.</noscript>
<backup-app ${settings}></backup-app>
</body>
</html>
`
}

export function renderAccent (accent: string): string {
  const { light, dark } = accentShades(accent)
  return `:root { --accent-light: ${light}; --accent-dark: ${dark}; }\n`
}
