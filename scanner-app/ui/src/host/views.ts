// A view for each screen and state, with the longest texts that a venue may have.

import type { Class } from '../generated/Class';
import type { DrillScore } from '../generated/DrillScore';
import type { Notice } from '../generated/Notice';
import type { PastScan } from '../generated/PastScan';
import type { Screen } from '../generated/Screen';
import type { Shown } from '../generated/Shown';
import type { TicketFacts } from '../generated/TicketFacts';
import type { Truth } from '../generated/Truth';
import type { View } from '../generated/View';
import type { Why } from '../generated/Why';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** All times of day are told from here, so that pictures don't change with the clock. */
export const NOW = new Date(2026, 5, 14, 19, 51, 7).getTime();

const TICKET: TicketFacts = {
  title: 'Nuit blanche',
  startsAtMs: NOW + 9 * MINUTE,
  category: 'Stalls, adult',
  seat: 'Row C · 12',
};
const LONG_TICKET: TicketFacts = {
  title: 'Les Contes d’Hoffmann, opéra fantastique en cinq actes',
  startsAtMs: NOW + 86_400 * SECOND,
  category: 'Premier balcon de face, tarif jeune de moins de 28 ans',
  seat: 'Balcon 1 · Rang AA · Siège 114',
};

const ONLINE: Truth = { mode: 'online', cacheAgeMs: null, locksInMs: null, toSend: 0, slow: false };
const DEGRADED: Truth = {
  mode: 'degraded',
  cacheAgeMs: 78 * SECOND,
  locksInMs: 222 * SECOND,
  toSend: 18,
  slow: false,
};

const BASE: Omit<View, 'screen'> = {
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
  settings: { language: 'en', theme: 'dark', textSize: 'normal', muted: false, volume: 80, camera: false },
};

const DRILL: DrillScore = { right: 17, of: 18, asks: false, last: { expected: 'call', given: 'stop' } };

let made = 0;
function shown(cls: Class, why: Why, ticket: TicketFacts | null, more: Partial<Shown> = {}): Shown {
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

const byNode: Partial<Shown> = { decidedBy: 'node', cacheAgeMs: 78 * SECOND };
const used = (confirmed: boolean, gate: string | null): Why => ({
  verdict: 'alreadyUsed',
  gate,
  atMs: NOW - 8 * MINUTE,
  agoMs: 8 * MINUTE,
  confirmed,
});

export const VERDICTS: Record<string, Shown> = {
  admit: shown('go', { verdict: 'admit' }, TICKET),
  admitLong: shown('go', { verdict: 'admit' }, LONG_TICKET, { ...byNode, repeated: true }),
  admitLate: shown('go', { verdict: 'admit' }, TICKET, { triggeredAtMs: NOW - 14 * SECOND }),
  alreadyUsed: shown('used', used(true, 'South gate'), TICKET),
  alreadyUsedLong: shown('used', used(true, 'Porte de la cour d’honneur, côté jardin'), LONG_TICKET, byNode),
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

const past: PastScan[] = Object.values(VERDICTS)
  .filter((_, index) => index % 2 === 0)
  .map((one, index) => ({
    shown: { ...one, atMs: NOW - index * 9 * SECOND },
    agoMs: 6 * SECOND + index * 9 * SECOND,
  }));

const view = (screen: Screen, more: Partial<View> = {}): View => ({ ...BASE, ...more, screen });
const ready = (more: Partial<View> = {}, screen: Partial<Extract<Screen, { name: 'ready' }>> = {}): View =>
  view({ name: 'ready', last: past[0] ?? null, typed: null, ...screen }, more);

const nowhere: Partial<View> = { place: null, truth: null, counts: null };
const NOTICES: Notice[] = [
  { name: 'locksSoon', inMs: 60 * SECOND },
  { name: 'deviceGone', device: 'Honeywell 1950g' },
];
const GATES = [
  {
    gateId: 'north',
    name: 'North gate',
    performances: [
      {
        performanceId: 'p1',
        title: 'Nuit blanche',
        doorsAtMs: NOW - 51 * MINUTE,
        startsAtMs: NOW + 9 * MINUTE,
        cancelled: false,
      },
      {
        performanceId: 'p2',
        title: 'Les Contes d’Hoffmann, opéra fantastique en cinq actes',
        doorsAtMs: NOW + 100 * MINUTE,
        startsAtMs: NOW + 130 * MINUTE,
        cancelled: false,
      },
      {
        performanceId: 'p3',
        title: 'Concert du lundi',
        doorsAtMs: null,
        startsAtMs: NOW + 200 * MINUTE,
        cancelled: true,
      },
    ],
  },
  { gateId: 'south', name: 'South gate', performances: [] },
  { gateId: 'court', name: 'Porte de la cour d’honneur, côté jardin', performances: [] },
];

export const VIEWS: Record<string, View> = {
  starting: view({ name: 'starting' }, nowhere),
  pair: view({ name: 'pair', typed: '', asking: false, problem: null }, nowhere),
  pairTyping: view(
    { name: 'pair', typed: 'EVP1:g3gZaHR0cHM6Ly9lZGdlLXZlbnVl', asking: true, problem: null },
    nowhere,
  ),
  pairProblem: view({ name: 'pair', typed: '', asking: false, problem: 'tooManyScanners' }, nowhere),
  chooseGate: view({ name: 'choose', gates: GATES, gate: null }, { ...nowhere, truth: ONLINE }),
  choosePerformance: view({ name: 'choose', gates: GATES, gate: 'north' }, { truth: ONLINE }),
  chooseNone: view({ name: 'choose', gates: [], gate: null }, { ...nowhere, truth: ONLINE }),
  ready: ready(),
  readyFirst: ready(
    { counts: null, place: BASE.place && { ...BASE.place, performance: null } },
    { last: null },
  ),
  readyTyping: ready({}, { typed: { text: 'K7Q2M4', length: 10, lockedMs: null } }),
  readyTypingLocked: ready({}, { typed: { text: '', length: 10, lockedMs: 42 * SECOND } }),
  readyMuted: ready({ settings: { ...BASE.settings, muted: true }, truth: { ...ONLINE, slow: true } }),
  readyDegraded: ready({
    truth: DEGRADED,
    counts: {
      admitted: 430,
      refused: 9,
      perMinute: 36,
      answerMs: 19,
      betweenMs: 7_200,
      waitedMs: 42_000,
      asOfMs: NOW - 78 * SECOND,
    },
  }),
  readyNotices: ready(
    { truth: { ...DEGRADED, locksInMs: 60 * SECOND, toSend: 1_240 }, notices: NOTICES },
    { last: null },
  ),
  readyResyncing: ready({ truth: { ...ONLINE, mode: 'resyncing', toSend: 1_240, cacheAgeMs: 4 * SECOND } }),
  checking: view({ name: 'checking', ageMs: 1_400, tries: 2, waiting: 2 }),
  locked: view(
    {
      name: 'locked',
      reason: 'cacheTooOld',
      sinceMs: NOW,
      procedure: [
        'Keep the queue, tell them 5 minutes',
        'Call duty manager: 01 44 00 00 00',
        'South gate is open: send people there',
      ],
    },
    { truth: { ...DEGRADED, mode: 'locked', locksInMs: null, cacheAgeMs: 301 * SECOND } },
  ),
  lockedOwnWords: view(
    { name: 'locked', reason: 'unacknowledged', sinceMs: null, procedure: [] },
    { truth: { ...DEGRADED, mode: 'locked', locksInMs: null, cacheAgeMs: null } },
  ),
  unreachable: view(
    { name: 'nodeUnreachable', sinceMs: NOW, retryInMs: 8 * SECOND, waiting: 2 },
    { truth: { ...ONLINE, mode: 'unreachable' } },
  ),
  pairAgain: view({ name: 'pairAgain', reason: 'expired' }, nowhere),
  history: view({ name: 'history', scans: past.slice(0, 10) }),
  historyEmpty: view({ name: 'history', scans: [] }),
  settings: view({
    name: 'settings',
    devices: [
      { id: '/dev/serial/by-id/usb-Honeywell_1950g', kind: 'serial', inUse: true },
      { id: 'AT Translated Set 2 keyboard', kind: 'wedge', inUse: false },
    ],
    export: 'evs1.pGVsYW5nZWZyZXRoZW1lZGRhcmtodGV4dFNpemU',
    problem: 'damaged',
    hasPin: true,
  }),
  pin: view({ name: 'pin', wantedFor: 'leave', digits: 2, wrong: false, lockedMs: null }),
  pinWrong: view({ name: 'pin', wantedFor: 'newPin', digits: 0, wrong: true, lockedMs: null }),
  pinLocked: view({ name: 'pin', wantedFor: 'unpair', digits: 0, wrong: true, lockedMs: 58 * SECOND }),
  drillReady: ready({ drill: DRILL }),
  drillAdmit: view(
    { name: 'verdict', ...shown('go', { verdict: 'admit' }, TICKET, { drill: true }) },
    { drill: { ...DRILL, asks: true } },
  ),
  degradedAdmit: view(
    { name: 'verdict', ...shown('go', { verdict: 'admit' }, TICKET, byNode) },
    { truth: DEGRADED },
  ),
  ...Object.fromEntries(
    Object.entries(VERDICTS).map(([name, one]) => [`verdict-${name}`, view({ name: 'verdict', ...one })]),
  ),
};
