// The languages that there are: every folder here, by the default export of its `index.ts`.

import { formats, type Formats } from '@eventify/web/formats';

import type { Messages } from './types';

const files = import.meta.glob<Messages>('./*/index.ts', { eager: true, import: 'default' });

export const LANGUAGES: ReadonlyMap<string, Messages> = new Map(
  Object.values(files).map((messages) => [messages.language, messages]),
);

const DEFAULT = 'en';

/** A language's words and how it writes numbers. */
export interface Texts {
  m: Messages;
  f: Formats;
}

/** Times are in this zone; null: in the device's own. */
export function texts(language: string, zone: string | null): Texts {
  const m = LANGUAGES.get(language) ?? LANGUAGES.get(DEFAULT);
  if (!m) throw new Error(`no messages in ${DEFAULT}`);
  return { m, f: formats(m.language, zone) };
}
