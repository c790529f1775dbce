// Keyboard, type and motion in a real browser.

import { afterAll, beforeAll, expect, test } from 'vitest';

import { open, type OpenWindow } from './window';

let win: OpenWindow;

beforeAll(async () => {
  win = await open('screen=ready');
  await win.page.setViewportSize({ width: 1280, height: 800 });
});

afterAll(async () => {
  await win.close();
});

const sent = (): Promise<string[]> =>
  win.page.evaluate(() => {
    const sent = window.eventify?.sent ?? [];
    return sent
      .splice(0)
      .flatMap((one) => (one.name === 'keys' ? one.strokes.map(({ code }) => code) : [one.name]));
  });

/** A key as a person presses it: later after the one before than a machine's. */
async function press(key: string): Promise<void> {
  const began = await win.page.evaluate(() => performance.now());
  await win.page.waitForFunction((since) => performance.now() - since > 80, began);
  await win.page.keyboard.press(key);
}

test('an imager’s Enter and Space press no key of the screen, whichever has the focus', async () => {
  await win.show('ready');
  await win.page.locator('footer button', { hasText: 'Mute' }).focus();
  await sent();
  for (const key of ['E', 'Space', 'V', 'Enter']) await win.page.keyboard.press(key);
  expect(await sent()).toEqual(['KeyE', 'Space', 'KeyV', 'Enter']);
});

test('the settings are gone through and changed by keyboard alone', async () => {
  await win.show('settings');
  await sent();
  await win.page.locator('button', { hasText: 'Quieter' }).focus();
  await press('Tab');
  await press('Enter');
  expect(await sent()).toEqual(['Tab', 'Enter', 'change']);
});

test('the gates are gone through by arrows', async () => {
  await win.show('chooseGate');
  await press('ArrowDown');
  await press('ArrowDown');
  expect(await win.page.evaluate(() => document.activeElement?.textContent)).toContain('South gate');
});

test('a name is chosen, a reason given and a guest looked for by keyboard alone', async () => {
  await win.show('people');
  await sent();
  await press('ArrowDown');
  await press('ArrowDown');
  await press('Enter');
  expect(await sent()).toContain('choosePerson');
  await win.show('supervisorUndo');
  for (let turn = 0; turn < 7; turn += 1) await press('Tab');
  await press('Enter');
  expect(await sent()).toContain('startAct');
  await win.show('reasonOverride');
  await press('ArrowDown');
  await press('Enter');
  expect(await sent()).toContain('giveReason');
  await win.show('search');
  for (const key of 'berg') await press(key);
  await press('Enter');
  expect(await sent()).toEqual(['search']);
});

test('what has the focus has a ring', async () => {
  await win.show('settings');
  await press('Tab');
  const ring = await win.page.evaluate(() => {
    const style = getComputedStyle(document.activeElement ?? document.body);
    return [style.outlineStyle, parseFloat(style.outlineWidth)];
  });
  expect(ring).toEqual(['solid', 4]);
});

test('letters are Inter, bundled, and figures have one width', async () => {
  await win.show('ready');
  const widths = await win.page.evaluate(() => {
    const probe = document.createElement('span');
    document.body.append(probe);
    const width = (text: string): number => {
      probe.textContent = text;
      return probe.getBoundingClientRect().width;
    };
    const all = [width('1111'), width('0000'), width('7777')];
    probe.remove();
    return all;
  });
  expect(new Set(widths).size).toBe(1);
  expect(await win.page.evaluate(() => document.fonts.check("500 21px 'Inter Variable'"))).toBe(true);
});

test('a person who wants no motion gets none', async () => {
  const animation = () =>
    win.page.evaluate(
      () => getComputedStyle(document.querySelector('.turning') ?? document.body).animationName,
    );
  await win.page.emulateMedia({ reducedMotion: 'no-preference' });
  await win.show('checking');
  expect(await animation()).not.toBe('none');
  await win.page.emulateMedia({ reducedMotion: 'reduce' });
  expect(await animation()).toBe('none');
});
