import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Command } from '../../src/generated/Command';
import type { Screen } from '../../src/generated/Screen';
import { takeKeys } from '../../src/keys';

const READY: Screen = { name: 'ready', last: null, typed: null };
const SETTINGS: Screen = { name: 'settings', devices: [], export: 'evs1.', problem: null, hasPin: false };

let screen: Screen;
let sent: Command[];
let release: () => void;
let clock: number;

beforeEach(() => {
  screen = READY;
  sent = [];
  clock = 1_000;
  release = takeKeys(window, {
    view: () => ({ screen, takesCodes: screen.name === 'ready' }),
    send: (command) => sent.push(command),
  });
});

afterEach(() => {
  release();
  document.body.replaceChildren();
});

/** A key goes down `after` ms after the last one; true if the page may act on it. */
function press(
  code: string,
  after: number,
  more: KeyboardEventInit & { target?: EventTarget; caps?: boolean } = {},
): boolean {
  clock += after;
  const event = new KeyboardEvent('keydown', { code, bubbles: true, cancelable: true, ...more });
  Object.defineProperty(event, 'timeStamp', { value: clock });
  Object.defineProperty(event, 'getModifierState', {
    value: (key: string) => key === 'CapsLock' && more.caps === true,
  });
  return (more.target ?? document.body).dispatchEvent(event);
}

const nextPicture = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => resolve()));
const strokes = (): string[] =>
  sent.flatMap((one) => (one.name === 'keys' ? one.strokes.map(({ code }) => code) : [`(${one.name})`]));

function button(): { button: HTMLButtonElement; presses: () => number } {
  const button = document.createElement('button');
  let presses = 0;
  button.addEventListener('click', () => (presses += 1));
  document.body.append(button);
  button.focus();
  return { button, presses: () => presses };
}

describe('a code from an imager', () => {
  test('leaves as one command, in order, when its Enter comes', () => {
    for (const code of ['KeyE', 'KeyV', 'Digit1', 'Semicolon', 'Space', 'Enter']) press(code, 2);
    expect(sent).toHaveLength(1);
    expect(strokes()).toEqual(['KeyE', 'KeyV', 'Digit1', 'Semicolon', 'Space', 'Enter']);
  });

  test('carries the physical key with shift, caps lock, repetition and time', () => {
    press('Quote', 0, { key: 'ä', shiftKey: true, caps: true, repeat: true });
    press('Enter', 3);
    expect(sent[0]).toEqual({
      name: 'keys',
      strokes: [
        { code: 'Quote', shift: true, capsLock: true, repeat: true, atMs: 1_000 },
        { code: 'Enter', shift: false, capsLock: false, repeat: false, atMs: 1_003 },
      ],
    });
  });

  test('presses no focused button where the screen takes codes, however slow it is', () => {
    const { button: target, presses } = button();
    expect(press('Space', 900, { target })).toBe(false);
    expect(press('Enter', 900, { target })).toBe(false);
    expect(presses()).toBe(0);
  });

  test('presses no focused button in the settings either, at the speed of a machine', () => {
    screen = SETTINGS;
    const { button: target } = button();
    press('KeyE', 500, { target });
    expect(press('Space', 4, { target })).toBe(false);
    expect(press('Enter', 4, { target })).toBe(false);
    const up = new KeyboardEvent('keyup', { code: 'Space', bubbles: true, cancelable: true });
    expect(target.dispatchEvent(up)).toBe(false);
  });

  test('does not move the focus by a Tab at its end', () => {
    press('KeyE', 2);
    expect(press('Tab', 2)).toBe(false);
    expect(strokes()).toEqual(['KeyE', 'Tab']);
  });
});

describe('a person', () => {
  test('presses buttons of the settings with Enter and Space', () => {
    screen = SETTINGS;
    const { button: target } = button();
    expect(press('Tab', 400, { target })).toBe(true);
    expect(press('Enter', 400, { target })).toBe(true);
    expect(press('Space', 400, { target })).toBe(true);
  });

  test('types a short code: each key leaves with the next picture', async () => {
    press('KeyK', 300);
    expect(sent).toEqual([]);
    await nextPicture();
    press('Digit7', 300);
    await nextPicture();
    expect(sent).toHaveLength(2);
    expect(strokes()).toEqual(['KeyK', 'Digit7']);
  });

  test('types into a text field without the app hearing a scan', () => {
    screen = SETTINGS;
    const target = document.createElement('input');
    document.body.append(target);
    expect(press('KeyE', 300, { target })).toBe(true);
    press('Enter', 300, { target });
    expect(sent).toEqual([]);
  });

  test('keeps the shortcuts of the system', () => {
    expect(press('KeyR', 300, { ctrlKey: true })).toBe(true);
    expect(sent).toEqual([]);
  });

  test('has function keys sent at once and in order: the app acts on them', () => {
    press('KeyK', 300);
    press('F3', 300);
    expect(sent).toHaveLength(1);
    expect(strokes()).toEqual(['KeyK', 'F3']);
    expect(press('Escape', 300)).toBe(false);
    expect(strokes()).toEqual(['KeyK', 'F3', 'Escape']);
  });

  test('leaves a text field by Escape', () => {
    screen = SETTINGS;
    const target = document.createElement('input');
    document.body.append(target);
    press('Escape', 300, { target });
    expect(strokes()).toEqual(['Escape']);
  });
});

describe('in a field that people type into', () => {
  const SEARCH: Screen = {
    name: 'search',
    by: 'name',
    asking: false,
    result: null,
    problem: null,
    leavesInMs: 60_000,
    minChars: 2,
    maxChars: 60,
  };

  function field(): HTMLInputElement {
    const input = document.createElement('input');
    document.body.append(input);
    input.focus();
    return input;
  }

  /** A key of a letter, and what the browser makes of it in the field. */
  function letter(input: HTMLInputElement, key: string, after: number): void {
    if (press(`Key${key.toUpperCase()}`, after, { key, target: input }))
      input.setRangeText(key, input.value.length, input.value.length, 'end');
  }

  test('what a person types stays there, however fast two keys follow each other', async () => {
    screen = SEARCH;
    const input = field();
    for (const [index, key] of [...'berger'].entries()) letter(input, key, index % 3 === 0 ? 120 : 20);
    await nextPicture();
    expect(input.value).toBe('berger');
    expect(strokes()).toEqual([]);
  });

  test('a code of an imager is taken out of it and sent to the app', () => {
    screen = SEARCH;
    const input = field();
    letter(input, 'a', 200);
    letter(input, 'b', 200);
    for (const [index, key] of [...'evtick'].entries()) letter(input, key, index === 0 ? 500 : 4);
    expect(press('Enter', 4, { key: 'Enter', target: input })).toBe(false);
    expect(input.value).toBe('ab');
    expect(strokes()).toEqual(['KeyE', 'KeyV', 'KeyT', 'KeyI', 'KeyC', 'KeyK', 'Enter']);
  });
});
