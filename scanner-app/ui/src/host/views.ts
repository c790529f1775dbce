// A view for each screen and state, with the longest texts that a venue may have.

import type { ActKind } from '../generated/ActKind';
import type { ActProblem } from '../generated/ActProblem';
import type { Class } from '../generated/Class';
import type { DrillScore } from '../generated/DrillScore';
import type { GatePace } from '../generated/GatePace';
import type { Guest } from '../generated/Guest';
import type { Notice } from '../generated/Notice';
import type { PastScan } from '../generated/PastScan';
import type { PersonChoice } from '../generated/PersonChoice';
import type { Role } from '../generated/Role';
import type { Screen } from '../generated/Screen';
import type { Shown } from '../generated/Shown';
import type { TicketFacts } from '../generated/TicketFacts';
import type { Truth } from '../generated/Truth';
import type { VenueNumbers } from '../generated/VenueNumbers';
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

const ONLINE: Truth = {
  mode: 'online',
  cacheAgeMs: null,
  locksInMs: null,
  toSend: 0,
  wasCutOff: false,
  slow: false,
};
const DEGRADED: Truth = {
  mode: 'degraded',
  cacheAgeMs: 78 * SECOND,
  locksInMs: 222 * SECOND,
  toSend: 18,
  wasCutOff: true,
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
  person: { name: 'Maya K.', sinceMs: NOW - 111 * MINUTE, endsInMs: 300 * MINUTE },
  authorised: null,
  exits: false,
  settings: { language: 'en', theme: 'dark', textSize: 'normal', muted: false, volume: 80, camera: false },
};

const view = (screen: Screen, more: Partial<View> = {}): View => ({ ...BASE, ...more, screen });

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

const act = (cls: Class, why: Why, ticket: TicketFacts | null, more: Partial<Shown> = {}): View =>
  view({ name: 'verdict', ...shown(cls, why, ticket, more) });
const notDone = (act: ActKind, problem: ActProblem, code: string | null = null): View =>
  view({
    name: 'verdict',
    ...shown('hold', { verdict: 'notDone', act, problem, code }, null, { decidedBy: null }),
  });

const past: PastScan[] = Object.values(VERDICTS)
  .filter((_, index) => index % 2 === 0)
  .map((one, index) => ({
    shown: { ...one, atMs: NOW - index * 9 * SECOND },
    agoMs: 6 * SECOND + index * 9 * SECOND,
  }));

const ready = (more: Partial<View> = {}, screen: Partial<Extract<Screen, { name: 'ready' }>> = {}): View =>
  view({ name: 'ready', last: past[0] ?? null, typed: null, ...screen }, more);

const nowhere: Partial<View> = { place: null, truth: null, counts: null, person: null };
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

const ON_DUTY: [name: string, roles: Role[], hasPin: boolean][] = [
  ['Ada Lindqvist', ['steward'], true],
  ['Aurélien de la Tour-Maubourg-Lascaris', ['steward', 'boxOffice'], true],
  ['Béatrice N.', ['supervisor'], true],
  ['Chidi', ['steward'], false],
  ['Daria', ['steward'], true],
  ['Elif', ['boxOffice'], true],
  ['Farid', ['steward'], true],
  ['Maya K.', ['steward'], true],
];
const people = (online: boolean): PersonChoice[] =>
  ON_DUTY.map(([name, roles, hasPin], index) => ({
    personId: `person-${index}`,
    name,
    roles,
    hasPin,
    lockedMs: index === 4 ? 48 * SECOND : null,
  })).map((person) => ({ ...person, lockedMs: online ? person.lockedMs : null }));
const choosing = (more: Partial<Extract<Screen, { name: 'people' }>>, of: Partial<View> = {}): View =>
  view(
    {
      name: 'people',
      wantedFor: 'shift',
      needed: true,
      people: people(true),
      online: true,
      asking: false,
      waiting: 0,
      ...more,
    },
    of,
  );
const personPin = (more: Partial<Extract<Screen, { name: 'personPin' }>>): View =>
  view({
    name: 'personPin',
    wantedFor: 'shift',
    person: 'Aurélien de la Tour-Maubourg-Lascaris',
    digits: 2,
    length: 6,
    asking: false,
    problem: null,
    lockedMs: null,
    ...more,
  });
const newPin = (more: Partial<Extract<Screen, { name: 'newPin' }>>): View =>
  view({
    name: 'newPin',
    person: 'Chidi',
    digits: 3,
    length: 6,
    again: false,
    asking: false,
    problem: null,
    ...more,
  });
const signIn = (more: Partial<Extract<Screen, { name: 'signIn' }>>): View =>
  view({ name: 'signIn', person: 'Chidi', code: null, problem: null, ...more }, { person: null });
const refusedNow: PastScan | null = VERDICTS.alreadyUsed
  ? { shown: VERDICTS.alreadyUsed, agoMs: 6 * SECOND }
  : null;
const supervisor = (more: Partial<Extract<Screen, { name: 'supervisor' }>>, of: Partial<View> = {}): View =>
  view(
    {
      name: 'supervisor',
      overridable: refusedNow,
      undoable: null,
      locked: false,
      online: true,
      staffed: true,
      supervises: false,
      findsGuests: false,
      ...more,
    },
    of,
  );
const reason = (more: Partial<Extract<Screen, { name: 'reason' }>>): View =>
  view(
    {
      name: 'reason',
      act: 'override',
      scan: refusedNow,
      gate: null,
      reasons: ['notInside', 'leftWithoutScan', 'other'],
      leftMs: 284 * SECOND,
      maxNote: 120,
      ...more,
    },
    { authorised: { name: 'Béatrice N.', leftMs: 97 * SECOND } },
  );
const GUESTS: Guest[] = [
  {
    ticketId: 't1',
    name: 'Amina Berger',
    order: '01a22505-e7cf-72cc-8c80-83d291030018',
    ticket: TICKET,
    state: 'used',
    first: { gate: 'South gate', atMs: NOW - 31 * MINUTE, confirmed: true },
  },
  {
    ticketId: 't2',
    name: 'Amin Bergeron',
    order: '01a22505-e743-713f-a6e5-4723001b1dcc',
    ticket: LONG_TICKET,
    state: 'valid',
    first: null,
  },
  {
    ticketId: 't3',
    name: null,
    order: 'EV-20420',
    ticket: { ...TICKET, seat: null },
    state: 'revoked',
    first: null,
  },
];
const search = (more: Partial<Extract<Screen, { name: 'search' }>>): View =>
  view({
    name: 'search',
    by: 'name',
    asking: false,
    result: null,
    problem: null,
    leavesInMs: 60 * SECOND,
    minChars: 2,
    maxChars: 60,
    ...more,
  });
const GATE_PACES: GatePace[] = [
  {
    gateId: 'north',
    name: 'North gate',
    admitted: 412,
    refused: 7,
    left: 3,
    perMinute: 12,
    betweenMs: 4_800,
    waitedMs: 0,
    slow: false,
  },
  {
    gateId: 'court',
    name: 'Porte de la cour d’honneur, côté jardin',
    admitted: 188,
    refused: 12,
    left: 0,
    perMinute: 5,
    betweenMs: 11_500,
    waitedMs: 42_000,
    slow: true,
  },
];
const NUMBERS: VenueNumbers = {
  performances: [
    {
      performanceId: 'p1',
      title: 'Les Contes d’Hoffmann, opéra fantastique en cinq actes',
      inside: 1_012,
      tickets: 1_480,
      zones: [
        { name: 'Parterre', inside: 640, tickets: 800 },
        { name: 'Premier balcon de face', inside: 372, tickets: 680 },
      ],
      byGate: [
        { gateId: 'north', name: 'North gate', inside: 612 },
        { gateId: 'court', name: 'Porte de la cour d’honneur, côté jardin', inside: 400 },
      ],
    },
  ],
  gates: GATE_PACES,
  cacheAgeMs: 78 * SECOND,
};

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
  readyResyncing: ready({
    truth: { ...ONLINE, mode: 'resyncing', toSend: 1_240, wasCutOff: true, cacheAgeMs: 4 * SECOND },
  }),
  checking: view({ name: 'checking', act: null, ageMs: 1_400, tries: 2, waiting: 2 }),
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
  people: choosing({ waiting: 1 }, { person: null }),
  peopleOffline: choosing(
    { people: people(false).slice(0, 5), online: false },
    { person: null, truth: DEGRADED },
  ),
  peopleHandOver: choosing({ needed: false }),
  peopleSupervisor: choosing({ wantedFor: 'supervisor', needed: false, people: people(true).slice(2, 3) }),
  peopleNone: choosing({ wantedFor: 'guests', needed: false, people: [] }),
  personPin: personPin({}),
  personPinWrong: personPin({ digits: 0, problem: { name: 'wrong', triesLeft: 3 } }),
  personPinLocked: personPin({
    digits: 0,
    problem: { name: 'wrong', triesLeft: null },
    lockedMs: 58 * SECOND,
  }),
  personPinEnded: personPin({ digits: 0, problem: { name: 'noPin' } }),
  personPinSupervisor: personPin({ person: 'Béatrice N.', wantedFor: 'supervisor' }),
  signIn: signIn({
    code: {
      userCode: 'WDJB-MJHT',
      uri: 'https://connexion.opera-de-la-cour.example/appareil',
      uriWithCode: 'https://connexion.opera-de-la-cour.example/appareil?code=WDJB-MJHT',
      leftMs: 284 * SECOND,
    },
  }),
  signInAsking: signIn({}),
  signInNotStaff: signIn({ problem: { name: 'notStaff' } }),
  signInOffline: signIn({ problem: { name: 'coreUnreachable' } }),
  newPin: newPin({}),
  newPinAgain: newPin({ again: true, digits: 0 }),
  newPinDiffers: newPin({ digits: 0, problem: { name: 'differs' } }),
  supervisor: supervisor({}),
  supervisorUndo: supervisor(
    {
      overridable: null,
      undoable: past[0] ? { scan: past[0], leftMs: 41 * SECOND } : null,
      supervises: true,
      findsGuests: true,
    },
    { authorised: { name: 'Béatrice N.', leftMs: 97 * SECOND } },
  ),
  supervisorLocked: supervisor(
    { locked: true, online: false },
    { truth: { ...DEGRADED, mode: 'locked', locksInMs: null } },
  ),
  supervisorUnstaffed: supervisor({ staffed: false, overridable: null }, { person: null }),
  reasonOverride: reason({}),
  reasonUndo: reason({
    act: 'undo',
    scan: past[0] ?? null,
    reasons: ['staysOutside', 'wrongTicket', 'other'],
    leftMs: 41 * SECOND,
  }),
  reasonGate: reason({
    act: 'changeGate',
    scan: null,
    gate: 'Porte de la cour d’honneur, côté jardin',
    reasons: ['moreHands', 'other'],
    leftMs: null,
  }),
  checkingAct: view({ name: 'checking', act: 'override', ageMs: 1_400, tries: 2, waiting: 0 }),
  actOverridden: act(
    'go',
    { verdict: 'overridden', reason: 'notInside', note: null, person: 'Béatrice N.', leftThisHour: 27 },
    TICKET,
  ),
  actOverriddenNote: act(
    'go',
    {
      verdict: 'overridden',
      reason: 'other',
      note: 'Sent to the box office for the right card and came back with it at once',
      person: 'Aurélien de la Tour-Maubourg-Lascaris',
      leftThisHour: null,
    },
    LONG_TICKET,
    byNode,
  ),
  actTakenBack: act('done', { verdict: 'takenBack', person: 'Béatrice N.' }, TICKET),
  actLeft: view({ name: 'verdict', ...shown('done', { verdict: 'left' }, TICKET) }, { exits: true }),
  actLimit: notDone('override', 'limitReached'),
  actTooLate: notDone('undo', 'notLast'),
  actNoAnswer: notDone('override', 'noAnswer'),
  actOther: notDone('changeGate', 'other', 'gate_not_allowed'),
  actNoReentry: view(notDone('exit', 'noReentry').screen, { exits: true }),
  readyExits: ready({ exits: true }),
  readyAuthorised: ready({ authorised: { name: 'Béatrice N.', leftMs: 97 * SECOND } }),
  search: search({}),
  searchFound: search({ result: { guests: GUESTS, more: true, cacheAgeMs: 78 * SECOND } }),
  searchNone: search({ by: 'order', result: { guests: [], more: false, cacheAgeMs: null } }),
  searchOff: search({ problem: { name: 'off' } }),
  searchTooMany: search({ problem: { name: 'tooMany', waitMs: 20 * SECOND } }),
  venueCounts: view({ name: 'venueCounts', numbers: NUMBERS, failed: false }),
  venueCountsFailed: view({ name: 'venueCounts', numbers: null, failed: true }),
  ...Object.fromEntries(
    Object.entries(VERDICTS).map(([name, one]) => [`verdict-${name}`, view({ name: 'verdict', ...one })]),
  ),
};
