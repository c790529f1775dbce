// Keys: each that goes down is sent to the app, which knows a code from a function key. The window takes those of
// screens that take codes before they come here (`app/src/keys.rs`); in a browser and on other screens they do.
//
// An imager is a keyboard to the system. It types some hundred characters within milliseconds, among them
// spaces, and ends with Enter. A focused button takes Space and Enter for a press: so where the screen takes
// codes no key reaches a button, and elsewhere none that comes at a machine's speed does.

import type { Command } from './generated/Command';
import type { KeyStroke } from './generated/KeyStroke';
import type { Screen } from './generated/Screen';
import type { View } from './generated/View';

/** Two keys of a person are further apart; those of an imager are nearer. */
export const MACHINE_SPEED_MS = 50;

/** An imager's keys in a text field are nearer to each other than this, and so many that no person is as fast. */
const IMAGER_GAP_MS = 35;
const IMAGER_KEYS = 4;

const isFunctionKey = (code: string): boolean => code === 'Escape' || /^F\d{1,2}$/.test(code);

const ENDS_A_CODE = new Set(['Enter', 'NumpadEnter', 'Tab']);

type TextField = HTMLInputElement | HTMLTextAreaElement;

const isTextField = (target: EventTarget | null): target is TextField =>
  target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;

/** Screens with a field that only people type into. */
const FOR_PEOPLE: ReadonlySet<Screen['name']> = new Set(['people', 'reason', 'search']);

/** Takes the characters before the caret back. */
function untype(field: TextField, count: number): void {
  const end = field.selectionEnd ?? field.value.length;
  field.setRangeText('', Math.max(0, end - count), end, 'end');
  field.dispatchEvent(new Event('input', { bubbles: true }));
}

export interface KeyOutlet {
  view(): Pick<View, 'screen' | 'takesCodes'> | null;
  send(command: Command): void;
}

/** Takes the keys of a window until the returned function is called. */
export function takeKeys(target: Window, outlet: KeyOutlet): () => void {
  let waiting: KeyStroke[] = [];
  let frame = 0;
  let lastAt = -Infinity;
  /** The last key came at machine speed: so does its going up. */
  let byMachine = false;
  /** Keys in a text field, each soon after the one before, and how many of them are characters there. */
  let run: KeyStroke[] = [];
  let typed = 0;

  const flush = (): void => {
    target.cancelAnimationFrame(frame);
    frame = 0;
    if (waiting.length === 0) return;
    const strokes = waiting;
    waiting = [];
    outlet.send({ name: 'keys', strokes });
  };

  /** Whether a key in a text field is one of an imager's. Those of before are taken out of it, and sent. */
  const isImagers = (event: KeyboardEvent, field: TextField, stroke: KeyStroke, gap: number): boolean => {
    if (gap > IMAGER_GAP_MS) {
      run = [];
      typed = 0;
    }
    run.push(stroke);
    if (run.length < IMAGER_KEYS) {
      typed += event.key.length === 1 ? 1 : 0;
      return false;
    }
    if (run.length === IMAGER_KEYS) {
      untype(field, typed);
      waiting.push(...run.slice(0, -1));
    }
    return true;
  };

  const down = (event: KeyboardEvent): void => {
    const view = outlet.view();
    const gap = event.timeStamp - lastAt;
    byMachine = gap < MACHINE_SPEED_MS;
    lastAt = event.timeStamp;
    if (!view || event.ctrlKey || event.altKey || event.metaKey) return;
    const stroke: KeyStroke = {
      code: event.code,
      shift: event.shiftKey,
      capsLock: event.getModifierState('CapsLock'),
      repeat: event.repeat,
      atMs: Math.max(0, Math.round(event.timeStamp)),
    };
    if (isFunctionKey(event.code)) {
      event.preventDefault();
    } else if (isTextField(event.target)) {
      if (!FOR_PEOPLE.has(view.screen.name) || event.repeat) return;
      if (!isImagers(event, event.target, stroke, gap)) return;
      event.preventDefault();
    } else if (view.takesCodes || byMachine) {
      event.preventDefault();
    }
    waiting.push(stroke);
    // A code leaves at its end; what is typed by hand leaves with the next picture.
    if (ENDS_A_CODE.has(event.code) || isFunctionKey(event.code) || target.document.hidden) flush();
    else if (frame === 0) frame = target.requestAnimationFrame(flush);
  };

  // A button is pressed by Space when the key goes up.
  const up = (event: KeyboardEvent): void => {
    const view = outlet.view();
    if (isTextField(event.target) || !view) return;
    if (event.code === 'Space' && (view.takesCodes || byMachine)) event.preventDefault();
  };

  target.addEventListener('keydown', down, { capture: true });
  target.addEventListener('keyup', up, { capture: true });
  return () => {
    target.cancelAnimationFrame(frame);
    target.removeEventListener('keydown', down, { capture: true });
    target.removeEventListener('keyup', up, { capture: true });
  };
}

/** A key of a pad on the screen: a finger's, whose speed says nothing. */
export const tap = (code: string): Command => ({ name: 'tap', code });
