// What a language has to say. A message file that leaves one out, or adds one, does not compile.
//
// Adding a language is adding a file: `messages/de.ts` with a default export of this type is found by itself
// and stands in the settings.
//
// Rules (LOOK 4): what is wrong, then what to do; the verb first; plain words; no blame, no bare codes. A word
// of a verdict has at most 12 characters, and no part of it may be wider than a small handheld (a test in
// the browser measures it).

import type { Act } from '../generated/Act';
import type { ImportProblem } from '../generated/ImportProblem';
import type { LockReason } from '../generated/LockReason';
import type { NodeMode } from '../generated/NodeMode';
import type { PairAgainReason } from '../generated/PairAgainReason';
import type { PairProblem } from '../generated/PairProblem';
import type { PinFor } from '../generated/PinFor';
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
  | 'noAnswer';

/** What a sentence about a verdict may name. */
export interface VerdictFacts {
  /** Of the first use. */
  gate: string | null;
  /** Time of the first use, of the beginning or of the end of admission; empty if the verdict has none. */
  at: string;
  ago: string | null;
  /** Doors that admit the ticket, as "A or B"; empty if none is known. */
  gates: string;
  seat: string | null;
  code: string | null;
}

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
  | 'pairAgain';

export interface Messages {
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
  facts: { seat: string; category: string; show: string };
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
