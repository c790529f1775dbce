// Each screen in each size, language, theme and text size: looked at by rules here, and kept as pictures in
// `target/screens/ui/` to be looked at by people: all of them with `EVENTIFY_SCREENS=1`, otherwise some.

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { CAP_HEIGHT, LEAST_MM, PX_PER_MM } from '@eventify/web/tokens';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { TextSize } from '../../src/generated/TextSize';
import type { Theme } from '../../src/generated/Theme';
import { VIEWS } from '../../src/host/views';
import { faults, type Rules } from './layout';
import { open, type OpenWindow } from './window';

const PICTURES = fileURLToPath(new URL('../../../../target/screens/ui/', import.meta.url));
const KEEP_ALL = process.env.EVENTIFY_SCREENS === '1';
const THEMES: Theme[] = ['dark', 'light', 'highContrast'];
const LANGUAGES = ['en', 'fr'];

interface Size {
  width: number;
  height: number;
  /** On a stand: read from 3 m. */
  stand: boolean;
  /** So small that the longest texts are scrolled. */
  small?: boolean;
}

const SIZES: Size[] = [
  { width: 320, height: 640, stand: false, small: true },
  { width: 640, height: 320, stand: false, small: true },
  { width: 540, height: 960, stand: false },
  { width: 960, height: 540, stand: false },
  { width: 1280, height: 800, stand: true },
  { width: 800, height: 1280, stand: true },
  { width: 1920, height: 1080, stand: true },
  { width: 1080, height: 1920, stand: true },
];

const rules = ({ height, stand, small }: Size, text: TextSize): Rules => ({
  text: LEAST_MM.text * PX_PER_MM,
  word: ((stand ? LEAST_MM.wordOnStand : LEAST_MM.wordInHand) * PX_PER_MM) / CAP_HEIGHT,
  // A small handheld on its side has room for three keys at its edge, and no more.
  target: (height < 420 ? 13.5 : LEAST_MM.target) * PX_PER_MM,
  gap: (height < 420 ? 1.5 : LEAST_MM.gap) * PX_PER_MM,
  whole: !small && text === 'normal',
});

const names = Object.keys(VIEWS);
let win: OpenWindow;

beforeAll(async () => {
  win = await open('screen=ready');
});

afterAll(async () => {
  await win.close();
});

async function look(size: Size, language: string, textSize: TextSize): Promise<string[]> {
  await win.page.setViewportSize(size);
  const found: string[] = [];
  for (const screen of names) {
    await win.show(screen, { language, textSize, theme: 'dark' });
    const wrong = await win.page.evaluate(faults, rules(size, textSize));
    found.push(...wrong.map((fault) => `${screen}: ${fault}`));
  }
  return found;
}

describe.each(SIZES)('on a glass of $width × $height px', (size) => {
  test.each(LANGUAGES)('every screen can be read and pressed, in %s', async (language) => {
    expect(await look(size, language, 'normal')).toEqual([]);
  });

  test.each(LANGUAGES)('nothing reaches out of its box in the largest text, in %s', async (language) => {
    expect(await look(size, language, 'largest')).toEqual([]);
  });
});

describe('pictures', () => {
  const all = SIZES.filter(({ width }) => [320, 540, 1280].includes(width)).flatMap((size) =>
    THEMES.flatMap((theme) => LANGUAGES.map((language) => ({ ...size, theme, language }))),
  );
  // Each theme and each language once, in the hand.
  const some = all.filter(
    ({ width, theme, language }) => width === 540 && (language === 'fr') === (theme === 'light'),
  );
  const cases = KEEP_ALL ? all : some;

  test.each(cases)('of $width px, $theme, $language are kept', async ({ theme, language, ...size }) => {
    await win.page.setViewportSize(size);
    const folder = `${PICTURES}${size.width}x${size.height}-${theme}-${language}`;
    mkdirSync(folder, { recursive: true });
    for (const screen of names) {
      await win.show(screen, { language, theme });
      const picture = await win.page.screenshot({ path: `${folder}/${screen}.png` });
      expect(picture.length).toBeGreaterThan(2_000);
    }
  });
});

test('the window asks for nothing of elsewhere, and its policy stops nothing of its own', () => {
  expect(win.errors).toEqual([]);
});

test('times are those of the venue, whatever zone the device is set to', async () => {
  await win.page.setViewportSize({ width: 1280, height: 800 });
  await win.show('ready', { language: 'en' });
  const device = await win.page.evaluate(() => new Intl.DateTimeFormat().resolvedOptions().timeZone);
  expect(device).toBe('America/New_York');
  // Since when Maya holds it, 16:00 UTC.
  expect(await win.page.locator('.frame').innerText()).toContain('18:00');
});
