import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { textsIn } from '@eventify/web/text-lint';
import { describe, expect, test } from 'vitest';

import { LANGUAGES, texts } from '../../src/messages';
import type { VerdictFacts } from '../../src/messages/types';

const ROOT = join(import.meta.dirname, '../../../..');

function svelteFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.svelte'))
    .map((file) => join(folder, file));
}

const FILES = [
  ...svelteFiles(join(ROOT, 'scanner-app/ui/src')),
  ...svelteFiles(join(ROOT, 'protocol/web/src')),
];

const FACTS: VerdictFacts = {
  gate: 'North gate',
  at: '19:43',
  ago: null,
  again: null,
  gates: 'A or B',
  seat: 'C 12',
  code: 'code',
  person: 'Sacha',
  reason: 'went out',
  problem: 'It is too late.',
};
const NO_FACTS: VerdictFacts = {
  gate: null,
  at: '19:43',
  ago: null,
  again: null,
  gates: '',
  seat: null,
  code: null,
  person: null,
  reason: 'went out',
  problem: '',
};

/** Every sentence of a language, functions called with facts and without. */
function all(messages: unknown): string[] {
  if (typeof messages === 'string') return [messages];
  if (typeof messages === 'function') {
    const call = (facts: VerdictFacts): unknown => {
      const f = texts('en', null).f;
      const [first, ...rest] = messages.length === 1 ? [facts] : [3, 3, f];
      try {
        return messages(first, ...rest);
      } catch {
        return messages(3, f);
      }
    };
    return [call(FACTS), call(NO_FACTS)].flatMap(all);
  }
  if (Array.isArray(messages)) return messages.flatMap(all);
  if (typeof messages === 'object' && messages !== null) return Object.values(messages).flatMap(all);
  return [];
}

test('the windows have files to look through', () => {
  expect(FILES.length).toBeGreaterThan(20);
});

test.each(FILES.map((file) => [file.slice(ROOT.length + 1), file]))(
  '%s has no text of its own',
  (_, file) => {
    expect(textsIn(readFileSync(file, 'utf8'))).toEqual([]);
  },
);

test('French and English are there, and what is neither is shown in English', () => {
  expect([...LANGUAGES.keys()].sort()).toEqual(['en', 'fr']);
  expect(texts('tlh', null).m.language).toBe('en');
});

describe.each([...LANGUAGES.values()].map((m) => [m.name, m] as const))('%s', (_, m) => {
  test('says each verdict in a word of at most 12 characters', () => {
    for (const word of Object.values(m.verdict)) {
      expect(word.length).toBeGreaterThan(0);
      expect(word.length, word).toBeLessThanOrEqual(12);
    }
  });

  test('greets, and shouts at nobody', () => {
    const shouting = all({ ...m, guest: { ...m.guest, admit: () => '' } }).filter((text) =>
      text.includes('!'),
    );
    expect(shouting).toEqual([]);
  });

  test('has a sentence for every verdict but the one that needs none, and ends it', () => {
    for (const [name, sentence] of Object.entries(m.why)) {
      for (const facts of [FACTS, NO_FACTS]) {
        if (name === 'admit') expect(sentence(facts)).toBe('');
        else expect(sentence(facts), name).toMatch(/\.$/);
      }
    }
  });

  test('says something to the guest at every verdict, in whole sentences without a hole', () => {
    for (const sentence of Object.values(m.guest)) {
      for (const facts of [FACTS, NO_FACTS]) {
        expect(sentence(facts)).toMatch(/[.!]$/);
        expect(sentence(facts)).not.toMatch(/null|undefined| {2}|: \.|, \./);
      }
    }
  });

  test('has a guest language that is another one of ours', () => {
    expect(m.guestLanguage).not.toBe(m.language);
    expect(LANGUAGES.has(m.guestLanguage)).toBe(true);
  });

  test('never names a code without words', () => {
    for (const text of all(m)) expect(text).not.toMatch(/^code\.?$/);
  });
});

test('French puts a space that does not break before its double marks', () => {
  const wrong = all(LANGUAGES.get('fr')).filter((text) => / [?!:;]/.test(text) || /\p{L}[?!;]/u.test(text));
  expect(wrong).toEqual([]);
});
