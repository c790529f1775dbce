// What the views are made of: one evening, its tickets and verdicts.

import type { Class } from '../generated/Class';
import type { DrillScore } from '../generated/DrillScore';
import type { PastScan } from '../generated/PastScan';
import type { Screen } from '../generated/Screen';
import type { Shown } from '../generated/Shown';
import type { TicketFacts } from '../generated/TicketFacts';
import type { Truth } from '../generated/Truth';
import type { View } from '../generated/View';
import type { Why } from '../generated/Why';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

/** All times of day are told from here, so that pictures don't change with the clock. */
export const NOW = Date.UTC(2026, 5, 14, 17, 51, 7);

export const TICKET: TicketFacts = {
  title: 'Nuit blanche',
  startsAtMs: NOW + 9 * MINUTE,
  category: 'Stalls, adult',
  seat: 'Row C · 12',
};
export const LONG_TICKET: TicketFacts = {
  title: 'Les Contes d’Hoffmann, opéra fantastique en cinq actes',
  startsAtMs: NOW + 86_400 * SECOND,
  category: 'Premier balcon de face, tarif jeune de moins de 28 ans',
  seat: 'Balcon 1 · Rang AA · Siège 114',
};

export const ONLINE: Truth = {
  mode: 'online',
  cacheAgeMs: null,
  locksInMs: null,
  toSend: 0,
  wasCutOff: false,
  slow: false,
};
export const DEGRADED: Truth = {
  mode: 'degraded',
  cacheAgeMs: 78 * SECOND,
  locksInMs: 222 * SECOND,
  toSend: 18,
  wasCutOff: true,
  slow: false,
};

export const BASE: Omit<View, 'screen' | 'takesCodes'> = {
  place: {
    gateId: 'north',
    gate: 'North gate',
    performance: {
      performanceId: 'p1',
      title: 'Nuit blanche',
      doorsAtMs: NOW - 51 * MINUTE,
      startsAtMs: NOW + 9 * MINUTE,
      cancelled: false,
    },
    scanner: 'Scanner 4',
  },
  truth: ONLINE,
  counts: {
    admitted: 412,
    refused: 7,
    perMinute: 38,
    answerMs: 24,
    betweenMs: 6_400,
    waitedMs: 0,
    asOfMs: null,
  },
  notices: [],
  drill: null,
  person: { name: 'Maya K.', sinceMs: NOW - 111 * MINUTE, endsInMs: 300 * MINUTE },
  authorised: null,
  exits: false,
  timeZone: 'Europe/Paris',
  settings: { language: 'en', theme: 'dark', textSize: 'normal', muted: false, volume: 80, camera: false },
};

/** Screens with buttons and fields that keys reach. */
const FOR_FINGERS: ReadonlySet<Screen['name']> = new Set([
  'choose',
  'settings',
  'people',
  'signIn',
  'supervisor',
  'reason',
  'search',
]);

export const view = (screen: Screen, more: Partial<View> = {}): View => ({
  ...BASE,
  ...more,
  screen,
  takesCodes: !FOR_FINGERS.has(screen.name),
});

export const DRILL: DrillScore = {
  right: 17,
  of: 18,
  asks: false,
  last: { expected: 'call', given: 'stop' },
};

let made = 0;
export function shown(cls: Class, why: Why, ticket: TicketFacts | null, more: Partial<Shown> = {}): Shown {
  made += 1;
  return {
    scanId: `scan-${made}`,
    class: cls,
    why,
    ticket,
    decidedBy: 'core',
    cacheAgeMs: null,
    triggeredAtMs: NOW - 24,
    atMs: NOW,
    repeated: false,
    drill: false,
    ...more,
  };
}

export const byNode: Partial<Shown> = { decidedBy: 'node', cacheAgeMs: 78 * SECOND };
const used = (confirmed: boolean, gate: string | null): Why => ({
  verdict: 'alreadyUsed',
  gate,
  atMs: NOW - 8 * MINUTE,
  agoMs: 8 * MINUTE,
  confirmed,
  readAgainMs: null,
});
const readAgain: Why = {
  verdict: 'alreadyUsed',
  gate: 'North gate',
  atMs: NOW - 4 * SECOND,
  agoMs: 4 * SECOND,
  confirmed: true,
  readAgainMs: 4 * SECOND,
};

export const VERDICTS: Record<string, Shown> = {
  admit: shown('go', { verdict: 'admit' }, TICKET),
  admitLong: shown('go', { verdict: 'admit' }, LONG_TICKET, { ...byNode, repeated: true }),
  admitLate: shown('go', { verdict: 'admit' }, TICKET, { triggeredAtMs: NOW - 14 * SECOND }),
  alreadyUsed: shown('used', used(true, 'South gate'), TICKET),
  alreadyUsedLong: shown('used', used(true, 'Porte de la cour d’honneur, côté jardin'), LONG_TICKET, byNode),
  readAgain: shown('used', readAgain, TICKET),
  unconfirmed: shown('used', used(false, 'South gate'), TICKET),
  unconfirmedNowhere: shown('used', used(false, null), null, byNode),
  revoked: shown('stop', { verdict: 'revoked' }, TICKET),
  notValidHere: shown(
    'stop',
    { verdict: 'notValidHere', gates: ['South gate', 'Artists’ door', 'Court of honour'] },
    TICKET,
  ),
  notValidHereUnknown: shown('stop', { verdict: 'notValidHere', gates: [] }, LONG_TICKET),
  notYet: shown('stop', { verdict: 'notYet', admitsFromMs: NOW + 26 * 60 * MINUTE }, TICKET),
  expired: shown('stop', { verdict: 'expired', admittedUntilMs: NOW - 40 * MINUTE }, TICKET),
  unreadable: shown('stop', { verdict: 'unreadable' }, null),
  forged: shown('stop', { verdict: 'forged' }, null),
  unknownOffline: shown('hold', { verdict: 'unknownOffline' }, null, byNode),
  resyncRequired: shown('hold', { verdict: 'resyncRequired' }, null, byNode),
  tryAgain: shown('hold', { verdict: 'tryAgain' }, null),
  nodeFault: shown('hold', { verdict: 'nodeFault' }, null, byNode),
  tooLate: shown('hold', { verdict: 'tooLate' }, TICKET, byNode),
  noAnswer: shown('hold', { verdict: 'noAnswer', code: null }, null, { decidedBy: null }),
  noAnswerCode: shown('hold', { verdict: 'noAnswer', code: 'scanner_clock_skew' }, null, { decidedBy: null }),
};

export const past: PastScan[] = Object.values(VERDICTS)
  .filter((_, index) => index % 2 === 0)
  .map((one, index) => ({
    shown: { ...one, atMs: NOW - index * 9 * SECOND },
    agoMs: 6 * SECOND + index * 9 * SECOND,
  }));

export const ready = (
  more: Partial<View> = {},
  screen: Partial<Extract<Screen, { name: 'ready' }>> = {},
): View => view({ name: 'ready', last: past[0] ?? null, typed: null, ...screen }, more);
