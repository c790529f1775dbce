import { flushSync, mount, unmount } from 'svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import App from '../../src/App.svelte';
import type { Command } from '../../src/generated/Command';
import type { Screen } from '../../src/generated/Screen';
import type { Settings } from '../../src/generated/Settings';
import type { View } from '../../src/generated/View';
import { NOW } from '../../src/host/base';
import { VIEWS } from '../../src/host/views';

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

function view(name: string, more: Partial<View> = {}, settings: Partial<Settings> = {}): View {
  const of = VIEWS[name];
  if (!of) throw new Error(`no view ${name}`);
  return { ...of, ...more, settings: { ...of.settings, ...settings } };
}

/** What stands on the screen for a person, spaces evened. */
function text(of: View): string {
  show(of);
  flushSync();
  return (document.body.textContent ?? '').replaceAll(/\s+/g, ' ');
}

const after = (ms: number): string => {
  vi.advanceTimersByTime(ms);
  flushSync();
  return (document.body.textContent ?? '').replaceAll(/\s+/g, ' ');
};

const press = (label: string): void => {
  const button = [...document.querySelectorAll('button')].find((one) =>
    (one.getAttribute('aria-label') ?? one.textContent ?? '').includes(label),
  );
  if (!button) throw new Error(`no button ${label}`);
  button.click();
  flushSync();
};

describe('a verdict', () => {
  test('fills the screen with its class and is read out at once', () => {
    text(view('verdict-forged'));
    expect(document.querySelector('.frame')?.getAttribute('data-class')).toBe('stop');
    expect(document.querySelector('[role=alert] h1')?.textContent).toBe('Fake');
  });

  test('speaks to the guest in the other language', () => {
    text(view('verdict-alreadyUsed'));
    expect(document.querySelector('.guest')?.textContent).toBe(
      'Ce billet est déjà entré à 19:43, South gate.',
    );
    text(view('verdict-alreadyUsed', {}, { language: 'fr' }));
    expect(document.querySelector('.guest')?.getAttribute('lang')).toBe('en');
    expect(document.querySelector('.guest')?.textContent).toBe('This ticket came in at 19:43, South gate.');
  });

  test('of a use that nobody confirmed is a screen of its own', () => {
    const confirmed = text(view('verdict-alreadyUsed'));
    const unconfirmed = text(view('verdict-unconfirmed'));
    expect(confirmed).toContain('Used');
    expect(unconfirmed).toContain('Used?');
    expect(unconfirmed).toContain('South gate began to let this ticket in at 19:43. Nobody confirmed it.');
    expect(document.querySelector('circle')?.getAttribute('stroke-dasharray')).toBeTruthy();
  });

  test('tells how long ago the ticket came in, and goes on counting', () => {
    expect(text(view('verdict-alreadyUsed'))).toContain('Let in 8 minutes ago at South gate, 19:43.');
    expect(after(61_000)).toContain('Let in 9 minutes ago');
  });

  test('of the guest who is still standing there says so, and calls nobody for them', () => {
    expect(text(view('verdict-readAgain'))).toContain(
      'Let in 4 seconds ago by this scanner. The same guest may go on. Somebody else: call a supervisor.',
    );
    expect(document.querySelector('.frame')?.getAttribute('data-class')).toBe('used');
    expect(text(view('verdict-readAgain', {}, { language: 'fr' }))).toContain('par ce scanner');
  });

  test('that came late says that the guest may be another one', () => {
    expect(text(view('verdict-admitLate'))).toContain('Scanned 14 seconds before this answer');
    expect(text(view('verdict-admit'))).not.toContain('before this answer');
  });

  test('names who decided, by data of what age', () => {
    expect(text(view('verdict-admit'))).toContain('The core decided');
    expect(text(view('verdict-admitLong'))).toContain('This gate decided, data 78 sec old');
    expect(text(view('verdict-noAnswer'))).toContain('Nobody decided');
  });

  test('names the show only if it is not the one that is played here', () => {
    expect(text(view('verdict-admit'))).not.toContain('Show');
    expect(text(view('verdict-admitLong'))).toContain('Les Contes d’Hoffmann');
  });

  test('has another shape for each of the verdicts', () => {
    const shapes = Object.keys(VIEWS)
      .filter(
        (name) =>
          name.startsWith('verdict-') && !/Long|Code|Nowhere|Unknown$|admitLate$|readAgain$/.test(name),
      )
      .map((name) => {
        text(view(name));
        return document.querySelector('h1')?.previousElementSibling?.innerHTML;
      });
    expect(shapes).toHaveLength(15);
    expect(new Set(shapes).size).toBe(15);
  });
});

describe('truth', () => {
  test('counts down while the node decides alone', () => {
    expect(text(view('readyDegraded'))).toContain('3:42');
    expect(after(2_000)).toContain('3:40');
    expect(after(400_000)).toContain('0:00');
  });

  test('counts the data older, and says which tickets are not known', () => {
    expect(text(view('readyDegraded'))).toContain('This gate decides · data 78 sec old');
    expect(after(10_000)).toContain('data 88 sec old');
    expect(document.body.textContent).toContain('Tickets sold after 19:49 are not known here');
  });

  test('says of when a number is', () => {
    expect(text(view('readyDegraded'))).toContain('as of 19:49');
    expect(text(view('ready'))).not.toContain('as of');
  });

  test('says how many rows are left, not that something turns', () => {
    expect(text(view('readyResyncing'))).toContain('1,240 scans left');
  });

  test('counts age and tries of one scan', () => {
    expect(text(view('checking'))).toContain('One scan, asked 2 times, 1.4 sec.');
    expect(after(1_000)).toContain('2.4 sec');
  });

  test('tells a locked node from one that is out of reach', () => {
    const locked = text(view('locked'));
    expect(document.querySelector('.frame')?.getAttribute('data-class')).toBe('hold');
    const unreachable = text(view('unreachable'));
    expect(document.querySelector('.frame')?.hasAttribute('data-class')).toBe(false);
    expect(locked).toContain('Call duty manager: 01 44 00 00 00');
    expect(unreachable).toContain('2 scans have no answer');
    expect(unreachable).toContain('Trying again in 0:08');
    expect(after(9_000)).toContain('Trying again now');
  });

  test('shows the app’s procedure where the venue has none', () => {
    expect(text(view('lockedOwnWords'))).toContain('Send people to an open gate');
  });

  test('shows on every screen that nothing can be heard', () => {
    for (const name of Object.keys(VIEWS)) {
      expect(text(view(name, {}, { muted: true }))).toContain('Sound is off');
    }
  });

  test('says on every screen of a drill that it is one', () => {
    for (const name of Object.keys(VIEWS)) {
      expect(text(view(name, { drill: { right: 17, of: 18, asks: false, last: null } }))).toContain(
        'Drill: nobody is let in by this',
      );
    }
  });

  test('shows every notice, the most important first', () => {
    text(view('readyNotices'));
    const notices = [...document.querySelectorAll('[aria-live] li')].map((item) => item.textContent?.trim());
    expect(notices).toEqual([
      'This gate locks in 60 seconds. Tell a supervisor.',
      'Honeywell 1950g is gone. Plug it in again.',
    ]);
  });
});

describe('a drill', () => {
  test('asks what the person would do, and takes the answer', () => {
    expect(text(view('drillAdmit'))).toContain('What do you do?');
    press('Call');
    expect(sent).toEqual([{ name: 'answerDrill', act: 'call' }]);
  });

  test('says what would have been right, and goes on', () => {
    expect(text(view('drillReady'))).toContain('Not Stop: the answer is Call.');
    expect(document.body.textContent).toContain('17 of 18 right');
    press('Next ticket');
    expect(sent).toEqual([{ name: 'nextDrill' }]);
  });
});

describe('what is pressed', () => {
  test('chooses gate and show', () => {
    text(view('chooseGate'));
    press('North gate');
    press('Les Contes');
    expect(sent).toEqual([{ name: 'choose', gateId: 'north', performanceId: 'p2' }]);
  });

  test('chooses whatever is on', () => {
    text(view('choosePerformance'));
    press('Whatever is on now');
    expect(sent).toEqual([{ name: 'choose', gateId: 'north', performanceId: null }]);
  });

  test('changes one setting and keeps the others', () => {
    text(view('settings'));
    press('Français');
    expect(sent).toEqual([{ name: 'change', settings: { ...view('settings').settings, language: 'fr' } }]);
  });

  test('unpairs only when asked twice', () => {
    text(view('settings'));
    press('Unpair');
    expect(sent).toEqual([]);
    press('Yes, unpair');
    expect(sent).toEqual([{ name: 'unpair' }]);
  });

  test('sends each digit of a PIN as tapped, whose speed says nothing, and keeps none', () => {
    text(view('pin'));
    press('7');
    expect(sent).toEqual([{ name: 'tap', code: 'Digit7' }]);
    expect(document.querySelector('[role=img]')?.getAttribute('aria-label')).toBe('2 digits');
  });

  test('types the short code by finger', () => {
    text(view('readyTyping'));
    press('Type code');
    press('K');
    press('7');
    press('Erase');
    expect(sent.map((one) => (one.name === 'tap' ? one.code : one.name))).toEqual([
      'KeyK',
      'Digit7',
      'Backspace',
    ]);
  });

  test('sets a PIN of four digits or more, and forgets it here', () => {
    text(view('settings'));
    const input = document.querySelector<HTMLInputElement>('input[type=password]');
    if (!input) throw new Error('no field for a PIN');
    const type = (digits: string): void => {
      input.value = digits;
      input.dispatchEvent(new Event('input', { bubbles: true }));
      flushSync();
    };
    type('123');
    press('Set');
    expect(sent).toEqual([]);
    type('1234');
    press('Set');
    expect(sent).toEqual([{ name: 'setPin', digits: '1234' }]);
    expect(input.value).toBe('');
  });

  test('waits while the PIN is locked', () => {
    text(view('pinLocked'));
    press('7');
    expect(sent).toEqual([]);
    expect(document.body.textContent).toContain('Wait 0:58');
  });
});

test('the page is in the language, theme and text size of the settings', () => {
  text(view('ready', {}, { language: 'fr', theme: 'highContrast', textSize: 'largest' }));
  expect(document.documentElement.lang).toBe('fr');
  expect(document.documentElement.dataset).toMatchObject({ theme: 'highContrast', text: 'largest' });
});

test('every screen that the app knows has a fixture', () => {
  const known: Record<Screen['name'], true> = {
    starting: true,
    pair: true,
    choose: true,
    ready: true,
    checking: true,
    verdict: true,
    history: true,
    locked: true,
    nodeUnreachable: true,
    pairAgain: true,
    settings: true,
    pin: true,
    people: true,
    personPin: true,
    signIn: true,
    newPin: true,
    supervisor: true,
    reason: true,
    search: true,
    venueCounts: true,
  };
  expect(new Set(Object.values(VIEWS).map(({ screen }) => screen.name))).toEqual(new Set(Object.keys(known)));
});
