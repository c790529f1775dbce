// Who holds the scanner, what they do beside scanning, whom they find: what stands on the screen, and what is
// sent.

import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import App from '../../src/App.svelte';
import type { Command } from '../../src/generated/Command';
import type { View } from '../../src/generated/View';
import { NOW } from '../../src/host/base';
import { VIEWS } from '../../src/host/views';
import { isNamed } from '../../src/names';

let sent: Command[];
let show: (view: View) => void;
let app: Record<string, unknown>;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  sent = [];
  app = mount(App, {
    target: document.body,
    props: { host: { send: (command) => sent.push(command), listen: (callback) => (show = callback) } },
  });
});

afterEach(async () => {
  await unmount(app);
  vi.useRealTimers();
});

function text(name: string, more: Partial<View> = {}): string {
  const of = VIEWS[name];
  if (!of) throw new Error(`no view ${name}`);
  show({ ...of, ...more });
  flushSync();
  return now();
}

const now = (): string => (document.body.textContent ?? '').replaceAll(/\s+/g, ' ');

const button = (label: string): HTMLButtonElement => {
  const found = [...document.querySelectorAll('button')].find((one) =>
    (one.getAttribute('aria-label') ?? one.textContent ?? '').includes(label),
  );
  if (!found) throw new Error(`no button ${label}`);
  return found;
};

const press = (label: string): void => {
  button(label).click();
  flushSync();
};

const type = (value: string): void => {
  const input = document.querySelector('input');
  if (!input) throw new Error('no field');
  input.value = value;
  input.dispatchEvent(new Event('input', { bubbles: true }));
  flushSync();
};

const after = (ms: number): string => {
  vi.advanceTimersByTime(ms);
  flushSync();
  return now();
};

describe('who holds the scanner', () => {
  test('stands on every screen, since when', () => {
    for (const name of Object.keys(VIEWS)) {
      const person = { name: 'Maya K.', sinceMs: NOW - 111 * 60_000, endsInMs: 1 };
      expect(text(name, { person }), name).toContain('Maya K., since 18:00');
    }
  });

  test('is found by the beginning of any word, without regard to accents', () => {
    text('people');
    type('beat');
    expect(now()).toContain('Béatrice N.');
    expect(now()).not.toContain('Ada Lindqvist');
    type('lind a');
    press('Ada Lindqvist');
    expect(sent).toEqual([{ name: 'choosePerson', personId: 'person-0' }]);
    type('xyz');
    expect(now()).toContain('Nobody of that name');
  });

  test('is found by finger, where there is no keyboard', () => {
    text('people');
    press('Letters');
    const key = (letter: string): HTMLButtonElement | undefined =>
      [...document.querySelectorAll('button')].find(({ textContent }) => textContent === letter);
    for (const letter of ['E', 'L', 'X']) key(letter)?.click();
    flushSync();
    press('Erase');
    expect(document.querySelector('input')?.value).toBe('el');
  });

  test('can’t be chosen without a PIN while the line is cut, and says why', () => {
    text('peopleOffline');
    press('Chidi');
    expect(sent).toEqual([]);
    expect(button('Chidi').textContent).toContain('the line is down');
    text('people');
    expect(button('Daria').textContent).toContain('wait 0:48');
    expect(button('Daria').disabled, 'signs in instead').toBe(false);
    const { screen } = VIEWS['people'] ?? {};
    if (screen?.name !== 'people') throw new Error('no list of names');
    text('people', { screen: { ...screen, online: false } });
    expect(button('Daria').disabled).toBe(true);
    after(48_000);
    expect(button('Daria').disabled).toBe(false);
  });

  test('is told how many tries are left, and for how long none is', () => {
    expect(text('personPinWrong')).toContain('3 more tries');
    expect(text('personPinLocked')).toContain('Wait 0:58');
    press('7');
    expect(sent).toEqual([]);
  });

  test.each(['personPin', 'personPinWrong', 'personPinLocked', 'personPinEnded'])(
    'can sign in instead: a PIN may be forgotten (%s)',
    (name) => {
      text(name);
      press('Sign in');
      expect(sent).toEqual([{ name: 'signInAgain' }]);
    },
  );

  test('signs in on a telephone: code, address, time, and what to do when it fails', () => {
    const waits = text('signIn');
    expect(waits).toContain('WDJB-MJHT');
    expect(waits).toContain('Waiting for you to sign in, 4:44 left');
    expect(document.querySelector('svg[role=img]')).not.toBeNull();
    expect(text('signInNotStaff')).toContain('Venue IT adds it');
    press('Sign in');
    expect(sent).toEqual([{ name: 'signInAgain' }]);
  });

  test('hands over with a key of the scan screen', () => {
    text('ready');
    press('Hand over');
    expect(sent).toEqual([{ name: 'showPeople' }]);
    text('peopleHandOver');
    press('End shift');
    expect(sent.at(-1)).toEqual({ name: 'endShift' });
  });
});

describe('a supervisor', () => {
  test('is called from a refusal that can be overridden, and from no other', () => {
    for (const name of ['verdict-alreadyUsed', 'verdict-unconfirmed', 'verdict-notYet']) {
      text(name);
      press('Supervisor');
    }
    expect(sent).toEqual(Array(3).fill({ name: 'showSupervisor' }));
    text('verdict-revoked');
    expect(() => button('Supervisor')).toThrow();
    text('verdict-alreadyUsed', { person: null });
    expect(() => button('Supervisor')).toThrow();
  });

  test('sees for how long their word counts', () => {
    expect(text('readyAuthorised')).toContain('Béatrice N. for 1:37');
    expect(after(7_000)).toContain('1:30');
  });

  test('takes back for as long as it is possible', () => {
    expect(text('supervisorUndo')).toContain('0:41 left');
    press('Take back');
    expect(sent).toEqual([{ name: 'startAct', act: 'undo' }]);
    after(41_000);
    expect(button('Take back').disabled).toBe(true);
  });

  test('lets nobody in while nobody decides', () => {
    expect(text('supervisorLocked')).toContain('Nobody decides here now');
    expect(button('Let in anyway').disabled).toBe(true);
    const screen = VIEWS.supervisorUndo?.screen;
    if (screen?.name !== 'supervisor') throw new Error('no view of a supervisor');
    const locked = text('supervisorLocked', { screen: { ...screen, locked: true } });
    expect(locked).toContain('nothing is taken back');
    for (const act of ['Take back', 'Find a guest']) expect(button(act).disabled, act).toBe(true);
  });

  test('says why with one press, and another reason in words', () => {
    text('reasonOverride');
    press('Not inside');
    expect(sent).toEqual([{ name: 'giveReason', reason: 'notInside', note: null }]);
    press('Another reason');
    press('Let in');
    expect(sent).toHaveLength(1);
    type(' Came back with the card ');
    press('Let in');
    expect(sent.at(-1)).toEqual({ name: 'giveReason', reason: 'other', note: 'Came back with the card' });
  });

  test('sees that it was an override, whose and why, in a frame that no verdict has', () => {
    const said = text('actOverridden');
    expect(document.querySelector('h1')?.textContent).toBe('Let in');
    expect(said).toContain('Override by Béatrice N.: known not to be inside.');
    expect(said).toContain('27 more allowed this hour');
    expect(document.querySelector('.framed')).not.toBeNull();
    text('verdict-admit');
    expect(document.querySelector('.framed')).toBeNull();
  });

  test('is told why nothing was done, and asks again what has no answer', () => {
    expect(text('actLimit')).toContain('as many of these as allowed in an hour');
    expect(() => button('Ask again')).toThrow();
    expect(text('actOther')).toContain('Tell venue IT: gate_not_allowed.');
    expect(text('actNoAnswer')).toContain('it may have been done');
    press('Ask again');
    expect(sent).toEqual([{ name: 'retryAct' }]);
    // What a person was refused is no ticket that nobody decided about.
    expect(text('actLimit')).not.toContain('Nobody decided');
    expect(text('verdict-noAnswer')).toContain('Nobody decided');
  });

  test('sees where to and why, before the gate is changed', () => {
    const said = text('reasonGate');
    expect(said).toContain('Porte de la cour');
    expect(said).toContain('scans count at the new gate from now on');
  });
});

test('a line is said to be back only where it was away, not at each act that the core has to hear of', () => {
  const truth = VIEWS.readyResyncing?.truth ?? null;
  expect(text('readyResyncing')).toContain('Line is back, telling the core');
  const acted = truth && { ...truth, wasCutOff: false };
  expect(text('readyResyncing', { truth: acted })).not.toContain('Line is back');
});

describe('exits', () => {
  test('are said on every screen, in the colours turned round', () => {
    for (const name of Object.keys(VIEWS)) {
      expect(text(name, { exits: true }), name).toContain('Exit: these scans let people out');
      expect(document.querySelector('.frame')?.hasAttribute('data-turned'), name).toBe(true);
    }
    expect(text('readyExits')).toContain('Scan the ticket of whoever leaves.');
  });

  test('have no colour of a verdict', () => {
    text('actLeft');
    expect(document.querySelector('.frame')?.hasAttribute('data-class')).toBe(false);
    expect(document.querySelector('h1')?.textContent).toBe('Left');
  });
});

test('answers to acts have shapes of their own', () => {
  const names = ['actOverridden', 'actTakenBack', 'actLeft', 'actLimit', 'verdict-admit', 'verdict-noAnswer'];
  const shapes = names.map((name) => {
    text(name);
    return document.querySelector('h1')?.previousElementSibling?.innerHTML;
  });
  expect(new Set(shapes).size).toBe(names.length);
});

describe('finding a guest', () => {
  test('needs two characters, and keeps the text on this screen', () => {
    text('search');
    type('b');
    press('Find guest');
    expect(sent).toEqual([]);
    type(' berg ');
    press('Seat');
    press('Find guest');
    expect(sent).toEqual([{ name: 'search', by: 'seat', text: 'berg' }]);
    text('ready');
    text('search');
    expect(document.querySelector('input')?.value).toBe('');
  });

  test('goes on typing where it was, when something else is looked for', () => {
    text('search');
    type('berg');
    press('Seat');
    const field = document.querySelector('input');
    expect(document.activeElement).toBe(field);
    expect([field?.selectionStart, field?.selectionEnd]).toEqual([0, 4]);
  });

  test('says first how old it is, and that there are more', () => {
    const found = text('searchFound');
    const first = found.indexOf('Amina Berger');
    expect(found.indexOf('As this gate knew it')).toBeLessThan(first);
    expect(found.indexOf('There are more.')).toBeLessThan(first);
  });

  test('shows place and state, says when there are more, and when the names leave', () => {
    const found = text('searchFound');
    expect(found).toContain('Amina Berger');
    expect(found).toContain('Inside since 19:20, South gate');
    expect(found).toContain('Not used yet');
    expect(found).toContain('There are more. Say more.');
    expect(found).toContain('Names leave this screen in 1:00');
    expect(after(10_000)).toContain('in 0:50');
  });

  test('says that it is off', () => {
    expect(text('searchOff')).toContain('off at this venue');
  });
});

test('the venue’s numbers mark the gate whose queue is slow', () => {
  expect(text('venueCounts')).toContain('inside, of 1,480 tickets');
  const slow = [...document.querySelectorAll('.slow')];
  expect(slow).toHaveLength(1);
  expect(slow[0]?.textContent).toContain('Porte de la cour');
  expect(slow[0]?.textContent).toContain('Slow: help this queue');
});

test('a name is found by the beginnings of its words in any order', () => {
  expect(isNamed('Aurélien de la Tour-Maubourg', 'mau aur')).toBe(true);
  expect(isNamed('Aurélien de la Tour-Maubourg', 'bourg')).toBe(false);
  expect(isNamed('Zoë', '')).toBe(true);
});
