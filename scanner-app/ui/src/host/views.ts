// A view for each screen and state, with the longest texts that a venue may have.

import type { Notice } from '../generated/Notice';
import type { View } from '../generated/View';
import {
  BASE,
  DEGRADED,
  DRILL,
  MINUTE,
  NOW,
  ONLINE,
  SECOND,
  TICKET,
  VERDICTS,
  byNode,
  past,
  ready,
  shown,
  view,
} from './base';
import { PEOPLE } from './people';

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
  ...PEOPLE,
  ...Object.fromEntries(
    Object.entries(VERDICTS).map(([name, one]) => [`verdict-${name}`, view({ name: 'verdict', ...one })]),
  ),
};
