// What a language has to say. One that leaves something out, or adds something, does not compile.
//
// Adding a language is adding a folder: `messages/de/index.ts` with a default export of this type is found by
// itself and stands in the settings.
//
// Rules (LOOK 4): what is wrong, then what to do; the verb first; plain words; no blame, no bare codes. A word
// of a verdict has at most 12 characters, and no part of it may be wider than a small handheld (a test in
// the browser measures it).

import type { ActKind } from '../generated/ActKind';
import type { ActProblem } from '../generated/ActProblem';
import type { Act } from '../generated/Act';
import type { ImportProblem } from '../generated/ImportProblem';
import type { LockReason } from '../generated/LockReason';
import type { NodeMode } from '../generated/NodeMode';
import type { PairAgainReason } from '../generated/PairAgainReason';
import type { PairProblem } from '../generated/PairProblem';
import type { GuestState } from '../generated/GuestState';
import type { NewPinProblem } from '../generated/NewPinProblem';
import type { PersonFor } from '../generated/PersonFor';
import type { PersonPinProblem } from '../generated/PersonPinProblem';
import type { PinFor } from '../generated/PinFor';
import type { Reason } from '../generated/Reason';
import type { Role } from '../generated/Role';
import type { SearchBy } from '../generated/SearchBy';
import type { SearchProblem } from '../generated/SearchProblem';
import type { SignInProblem } from '../generated/SignInProblem';
import type { Stored } from '../generated/Stored';
import type { TextSize } from '../generated/TextSize';
import type { Theme } from '../generated/Theme';
import type { DeviceKind } from '../generated/DeviceKind';
import type { Formats } from '@eventify/web/formats';

/** Verdicts as screens: an unconfirmed use is a screen of its own. */
export type VerdictName =
  | 'admit'
  | 'alreadyUsed'
  | 'unconfirmed'
  | 'revoked'
  | 'notValidHere'
  | 'notYet'
  | 'expired'
  | 'unreadable'
  | 'forged'
  | 'unknownOffline'
  | 'resyncRequired'
  | 'tryAgain'
  | 'nodeFault'
  | 'tooLate'
  | 'noAnswer'
  | 'overridden'
  | 'takenBack'
  | 'left'
  | 'notDone';

/** What a sentence about a verdict may name. */
export interface VerdictFacts {
  /** Of the first use. */
  gate: string | null;
  /** Time of the first use, of the beginning or of the end of admission; empty if the verdict has none. */
  at: string;
  ago: string | null;
  /** How long ago this scanner let in the same guest, if it has just done so. */
  again: string | null;
  /** Doors that admit the ticket, as "A or B"; empty if none is known. */
  gates: string;
  seat: string | null;
  code: string | null;
  /** Who has acted. */
  person: string | null;
  /** Why, of an override; in words. */
  reason: string;
  /** Why an act was not done; in words. */
  problem: string;
}

/** Problems of which a sentence says all; another one has the node's code. */
type Said<P extends { name: string }> = Record<Exclude<P['name'], 'refused' | 'wrong' | 'tooMany'>, string>;

type Sentence = (facts: VerdictFacts) => string;

/** Label of a key on the screen; its function key is printed beside it. */
type KeyName =
  | 'history'
  | 'gate'
  | 'mute'
  | 'unmute'
  | 'settings'
  | 'back'
  | 'dismiss'
  | 'giveUp'
  | 'endDrill'
  | 'typeCode'
  | 'closePad'
  | 'torchOn'
  | 'torchOff'
  | 'erase'
  | 'send'
  | 'pairAgain'
  | 'help'
  | 'supervisor'
  | 'askAgain'
  | 'people'
  | 'signIn'
  | 'endShift'
  | 'find'
  | 'keyboard'
  | 'space';

/** About people: who is here, and what they do beside scanning. */
export interface PeopleMessages {
  people: {
    word: Record<PersonFor, string>;
    why: Record<PersonFor, string>;
    waiting: (count: number, f: Formats) => string;
    find: string;
    none: string;
    nobodyMay: string;
    asking: string;
    roles: Record<Role, string>;
    firstTime: string;
    offline: string;
    locked: (time: string) => string;
  };
  personPin: {
    why: Record<PersonFor, string>;
    asking: string;
    wrong: (tries: number | null, f: Formats) => string;
    locked: (time: string) => string;
    problem: Said<PersonPinProblem>;
    refused: (code: string) => string;
  };
  signIn: {
    word: string;
    steps: (address: string) => string[];
    code: string;
    asking: string;
    waiting: (time: string) => string;
    problemWord: string;
    problem: Said<SignInProblem>;
    refused: (code: string) => string;
    qr: string;
  };
  newPin: {
    word: string;
    first: string;
    again: string;
    asking: string;
    problem: Said<NewPinProblem>;
    refused: (code: string) => string;
  };
  supervisor: {
    word: string;
    override: string;
    overrideNone: string;
    overrideLocked: string;
    undo: string;
    undoNone: string;
    undoLocked: string;
    undoLeft: (time: string) => string;
    exitsOn: string;
    exitsOff: string;
    exitsOffline: string;
    searchLocked: string;
    locks: string;
    search: string;
    counts: string;
    gate: string;
    people: string;
    settings: string;
    needsPin: string;
  };
  acts: {
    /** Title of the last question. */
    word: Record<Exclude<ActKind, 'exit'>, string>;
    why: Record<Exclude<ActKind, 'exit'>, string>;
    left: (time: string) => string;
    reason: Record<Reason, string>;
    /** As part of a sentence. */
    because: Record<Reason, string>;
    note: string;
    noteWhat: string;
    doIt: Record<Exclude<ActKind, 'exit'>, string>;
    problem: Record<ActProblem, string>;
    leftThisHour: (count: number, f: Formats) => string;
  };
  search: {
    word: string;
    by: Record<SearchBy, string>;
    hint: Record<SearchBy, string>;
    asking: string;
    none: string;
    more: string;
    leaves: (time: string) => string;
    noName: string;
    order: (order: string) => string;
    state: Record<GuestState, string>;
    usedAt: (gate: string | null, at: string) => string;
    unconfirmedAt: (gate: string | null, at: string) => string;
    age: (age: string) => string;
    problem: Said<SearchProblem>;
    tooMany: (time: string) => string;
    refused: (code: string) => string;
  };
  venue: {
    word: string;
    asking: string;
    failed: string;
    inside: (tickets: string) => string;
    of: (inside: string, tickets: string) => string;
    zones: string;
    byGate: string;
    gates: string;
    perMinute: string;
    between: string;
    waited: string;
    admitted: string;
    refused: string;
    left: string;
    slow: string;
    age: (age: string) => string;
  };
}

export interface Messages extends PeopleMessages {
  /** BCP 47. */
  language: string;
  /** Of the language, in itself. */
  name: string;
  /** The language of the guest's line: one that this language's speakers often meet in a queue. */
  guestLanguage: string;

  verdict: Record<VerdictName, string>;
  /** What is wrong, then what to do. Empty: the facts say enough. */
  why: Record<VerdictName, Sentence>;
  /** Said to the guest. */
  guest: Record<VerdictName, Sentence>;
  repeated: string;
  /** The answer came long after the trigger. */
  late: (age: string) => string;
  facts: { seat: string; category: string; show: string; note: string };
  key: Record<KeyName, string>;

  app: {
    title: string;
    muted: string;
    drill: string;
    /** The drill's score. */
    score: (right: string, of: string) => string;
    whateverIsOn: string;
    doors: (at: string) => string;
    cancelled: string;
    /** Who is on shift, since when. */
    since: (person: string, at: string) => string;
    /** A colleague's word is good for so long. */
    authorised: (person: string, time: string) => string;
    /** Bar above every screen while scans are exits. */
    exits: string;
  };
  starting: { word: string; why: string };
  ready: {
    word: string;
    scan: string;
    camera: string;
    typing: string;
    typingLocked: (seconds: string) => string;
    lastScan: string;
    soldAfter: (at: string) => string;
    exitWord: string;
    exit: string;
  };
  counts: {
    inside: string;
    refused: string;
    perMinute: string;
    answer: string;
    between: string;
    waited: string;
    /** After a number that can be stale. */
    asOf: (at: string) => string;
    toSend: string;
  };
  checking: {
    word: string;
    why: (age: string, tries: number, f: Formats) => string;
    slow: string;
    waiting: (count: number, f: Formats) => string;
    act: (age: string, tries: number, f: Formats) => string;
  };
  truth: {
    mode: Record<NodeMode, string>;
    /** After the node decided by data of that age. */
    age: (age: string) => string;
    decidedByCore: string;
    decidedByNode: (age: string | null) => string;
    decidedByNobody: string;
    slow: string;
    degraded: string;
    locksIn: string;
    resyncing: string;
    rowsLeft: (count: number, f: Formats) => string;
  };
  drill: {
    acts: Record<Act, string>;
    /** While a verdict stands on the screen. */
    ask: string;
    next: string;
    /** Before the first verdict. */
    start: string;
    right: (act: string) => string;
    wrong: (given: string, expected: string) => string;
  };
  history: { word: string; empty: string };
  locked: {
    word: string;
    since: (at: string) => string;
    reason: Record<LockReason, string>;
    untilItIsBack: string;
    procedure: string[];
  };
  unreachable: {
    word: string;
    since: (at: string) => string;
    why: string;
    waiting: (count: number, f: Formats) => string;
    retry: (time: string) => string;
    retryNow: string;
    procedure: string[];
  };
  pair: {
    word: string;
    steps: string[];
    typed: string;
    asking: string;
    problem: Record<PairProblem, string>;
  };
  pairAgain: { word: string; why: Record<PairAgainReason, string>; todo: string };
  choose: { word: string; which: string; none: string; performances: (gate: string) => string };
  pin: {
    word: string;
    why: Record<PinFor, string>;
    digits: (count: number, f: Formats) => string;
    wrong: string;
    locked: (time: string) => string;
  };
  settings: {
    word: string;
    language: string;
    theme: string;
    themes: Record<Theme, string>;
    textSize: string;
    textSizes: Record<TextSize, string>;
    sound: string;
    volume: (percent: string) => string;
    quieter: string;
    louder: string;
    testSound: string;
    camera: string;
    on: string;
    off: string;
    place: string;
    changeGate: string;
    drill: string;
    drillWhat: string;
    startDrill: string;
    devices: string;
    noDevices: string;
    device: Record<DeviceKind, string>;
    inUse: string;
    notInUse: string;
    copy: string;
    exportWhat: string;
    importWhat: string;
    importNow: string;
    importProblem: Record<ImportProblem, string>;
    pin: string;
    pinWhat: string;
    /** There is one. */
    pinChange: string;
    pinDigits: string;
    pinSet: string;
    leave: string;
    leaveWhat: string;
    leaveNow: string;
    unpair: string;
    unpairWhat: string;
    unpairNow: string;
    unpairSure: string;
    unpairYes: string;
    unpairNo: string;
  };
  notice: {
    halfCode: string;
    capsLock: string;
    queueFull: string;
    otherCode: string;
    gateFirst: string;
    signInFirst: string;
    needsCore: string;
    shiftNotEnded: string;
    storedLost: Record<Stored, string>;
    deviceGone: (device: string) => string;
    noSound: string;
    notStored: string;
    locksSoon: (time: string) => string;
  };
  camera: {
    starting: string;
    refused: string;
    none: string;
    busy: string;
    failed: string;
  };
}
