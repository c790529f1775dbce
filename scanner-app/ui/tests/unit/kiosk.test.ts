import { expect, test } from 'vitest';

import { closeWaysOut } from '../../src/kiosk';

closeWaysOut(window);

const goesOn = (event: Event, target: EventTarget = document.body): boolean => target.dispatchEvent(event);
const init = { bubbles: true, cancelable: true };

test('no menu of the web view opens, and no file that is dropped takes the place of the app', () => {
  for (const way of ['contextmenu', 'dragstart', 'dragover', 'drop'])
    expect(goesOn(new Event(way, init)), way).toBe(false);
});

test('shortcuts neither reload nor zoom nor print', () => {
  for (const key of ['KeyR', 'KeyP', 'Equal']) {
    expect(goesOn(new KeyboardEvent('keydown', { ...init, code: key, ctrlKey: true })), key).toBe(false);
  }
  expect(goesOn(new KeyboardEvent('keydown', { ...init, code: 'ArrowLeft', altKey: true }))).toBe(false);
  // The imitated browser's wheel knows no modifiers.
  expect(goesOn(Object.assign(new Event('wheel', init), { ctrlKey: true }))).toBe(false);
});

test('lists are scrolled, and codes pasted into their field', () => {
  expect(goesOn(new WheelEvent('wheel', init))).toBe(true);
  const field = document.createElement('input');
  document.body.append(field);
  expect(goesOn(new KeyboardEvent('keydown', { ...init, code: 'KeyV', ctrlKey: true }), field)).toBe(true);
});
