// The views about people: who is here, and what they do beside scanning.

import type { ActKind } from '../generated/ActKind';
import type { ActProblem } from '../generated/ActProblem';
import type { Class } from '../generated/Class';
import type { GatePace } from '../generated/GatePace';
import type { Guest } from '../generated/Guest';
import type { PastScan } from '../generated/PastScan';
import type { PersonChoice } from '../generated/PersonChoice';
import type { Role } from '../generated/Role';
import type { Screen } from '../generated/Screen';
import type { Shown } from '../generated/Shown';
import type { TicketFacts } from '../generated/TicketFacts';
import type { VenueNumbers } from '../generated/VenueNumbers';
import type { View } from '../generated/View';
import type { Why } from '../generated/Why';
import {
  DEGRADED,
  LONG_TICKET,
  MINUTE,
  NOW,
  SECOND,
  TICKET,
  VERDICTS,
  byNode,
  past,
  ready,
  shown,
  view,
} from './base';

const act = (cls: Class, why: Why, ticket: TicketFacts | null, more: Partial<Shown> = {}): View =>
  view({ name: 'verdict', ...shown(cls, why, ticket, more) });
const notDone = (act: ActKind, problem: ActProblem, code: string | null = null): View =>
  view({
    name: 'verdict',
    ...shown('hold', { verdict: 'notDone', act, problem, code }, null, { decidedBy: null }),
  });

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

export const PEOPLE: Record<string, View> = {
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
};
