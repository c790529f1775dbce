// Writes `tokens.css` anew: `npm run tokens`.

import { writeFileSync } from 'node:fs';

import { toCss } from './src/tokens.ts';

writeFileSync(new URL('src/tokens.css', import.meta.url), toCss());
