// Keys: each that goes down is sent to the app, which knows a code from a function key.
//
// An imager is a keyboard to the system. It types some hundred characters within milliseconds, among them
// spaces, and ends with Enter. A focused button takes Space and Enter for a press: so where the screen takes
// codes no key reaches a button, and elsewhere none that comes at a machine's speed does.

import type { Command } from './generated/Command';
import type { KeyStroke } from './generated/KeyStroke';
import type { Screen } from './generated/Screen';

/** Two keys of a person are further apart; those of an imager are nearer. */
export const MACHINE_SPEED_MS = 50;

/** Screens of which every key belongs to a code (or to the PIN): their buttons have function keys. */
const TAKES_CODES: Record<Screen['name'], boolean> = {
  starting: true,
  pair: true,
  choose: false,
  ready: true,
  checking: true,
  verdict: true,
  history: true,
  locked: true,
  nodeUnreachable: true,
  pairAgain: true,
  settings: false,
  pin: true,
  people: false,
  personPin: true,
  signIn: true,
  newPin: true,
  supervisor: true,
  reason: false,
  search: false,
  venueCounts: true,
};

/**
 * Commands that only the window has keys for. F2, F3, F4, F6, F8, F9 and Escape are sent as keys, and the app acts
 * on them: a keyboard that the app reads by itself then does the same.
 */
export function windowKey(code: string, screen: Screen, drill: boolean): Command | null {
  switch (code) {
    case 'F10':
      return screen.name === 'settings' ? { name: 'dismiss' } : { name: 'showSettings' };
    case 'F12':
      return drill ? { name: 'endDrill' } : null;
    default:
      return null;
  }
}

const isFunctionKey = (code: string): boolean => code === 'Escape' || /^F\d{1,2}$/.test(code);

const ENDS_A_CODE = new Set(['Enter', 'NumpadEnter', 'Tab']);

const isTextField = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;

export interface KeyOutlet {
  screen(): Screen | null;
  inDrill(): boolean;
  send(command: Command): void;
}

/** Takes the keys of a window until the returned function is called. */
export function takeKeys(target: Window, outlet: KeyOutlet): () => void {
  let waiting: KeyStroke[] = [];
  let frame = 0;
  let lastAt = -Infinity;
  /** The last key came at machine speed: so does its going up. */
  let byMachine = false;

  const flush = (): void => {
    target.cancelAnimationFrame(frame);
    frame = 0;
    if (waiting.length === 0) return;
    const strokes = waiting;
    waiting = [];
    outlet.send({ name: 'keys', strokes });
  };

  const down = (event: KeyboardEvent): void => {
    const screen = outlet.screen();
    byMachine = event.timeStamp - lastAt < MACHINE_SPEED_MS;
    lastAt = event.timeStamp;
    if (!screen || event.ctrlKey || event.altKey || event.metaKey) return;
    if (isFunctionKey(event.code)) {
      event.preventDefault();
      const command = event.repeat ? null : windowKey(event.code, screen, outlet.inDrill());
      if (command) {
        flush();
        outlet.send(command);
        return;
      }
    } else if (isTextField(event.target)) {
      return;
    } else if (TAKES_CODES[screen.name] || byMachine) {
      event.preventDefault();
    }
    waiting.push({
      code: event.code,
      shift: event.shiftKey,
      capsLock: event.getModifierState('CapsLock'),
      repeat: event.repeat,
      atMs: Math.max(0, Math.round(event.timeStamp)),
    });
    // A code leaves at its end; what is typed by hand leaves with the next picture.
    if (ENDS_A_CODE.has(event.code) || isFunctionKey(event.code) || target.document.hidden) flush();
    else if (frame === 0) frame = target.requestAnimationFrame(flush);
  };

  // A button is pressed by Space when the key goes up.
  const up = (event: KeyboardEvent): void => {
    const screen = outlet.screen();
    if (isTextField(event.target) || !screen) return;
    if (event.code === 'Space' && (TAKES_CODES[screen.name] || byMachine)) event.preventDefault();
  };

  target.addEventListener('keydown', down, { capture: true });
  target.addEventListener('keyup', up, { capture: true });
  return () => {
    target.cancelAnimationFrame(frame);
    target.removeEventListener('keydown', down, { capture: true });
    target.removeEventListener('keyup', up, { capture: true });
  };
}

/** A key of a pad on the screen, as if it were one of the keyboard. */
export function padStroke(code: string): Command {
  const stroke = { code, shift: false, capsLock: false, repeat: false, atMs: Math.round(performance.now()) };
  return { name: 'keys', strokes: [stroke] };
}
