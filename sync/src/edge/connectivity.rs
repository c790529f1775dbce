//! Whether the core answers: questions, their answers in time, and the one shared attempt to reach
//! it that scans wait for before a node decides alone (`ADMISSION` 1.1 and 2).

use std::{collections::VecDeque, time::Duration};

use eventify_protocol::{sync::Nonce, time::BootTime};

use super::Now;

/// How often the core is asked.
pub const ASK_INTERVAL: Duration = Duration::from_secs(2);
/// How often after a failure, so that a node is `Online` again soon after the line is back.
pub const RECOVERY_ASK_INTERVAL: Duration = Duration::from_millis(500);
/// How long a question, a scan or the shared attempt waits for the core.
pub const RESYNC_BUDGET: Duration = Duration::from_millis(300);
/// How long a failed attempt holds: scans within that time don't wait.
pub const FAILED_ATTEMPT_HOLDS: Duration = Duration::from_secs(2);
/// Questions to be answered in a row, in time, after a failure.
const QUESTIONS_IN_A_ROW: u8 = 3;
/// Questions that can still be answered: those of half a minute, so that a slow line makes the cache
/// younger as well.
const MAX_OPEN_QUESTIONS: usize = 64;

#[derive(Debug)]
struct Question {
    nonce: Nonce,
    asked: Now,
    overdue: bool,
    /// Asked before the last failure: its answer proves nothing about the time after it.
    outdated: bool,
}

/// The shared attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// None runs, and none has failed lately.
    None,
    /// Scans wait for it until then.
    Running(BootTime),
    /// Scans don't wait until then.
    Failed(BootTime),
}

#[derive(Debug)]
pub(super) struct Connectivity {
    connected: bool,
    questions: VecDeque<Question>,
    next_question: BootTime,
    /// Questions answered in time without a failure between, each asked after the answer to the one
    /// before; counts to `needed`.
    in_a_row: u8,
    /// When the last of them was answered.
    counted: BootTime,
    needed: u8,
    attempt: Attempt,
}

impl Connectivity {
    pub(super) fn new(now: Now) -> Self {
        Self {
            connected: false,
            questions: VecDeque::new(),
            next_question: now.boottime.plus(ASK_INTERVAL),
            in_a_row: 0,
            counted: BootTime(0),
            needed: 1,
            attempt: Attempt::None,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// The core answers scans, as far as is known before asking.
    pub(super) fn core_answers(&self) -> bool {
        self.connected && self.in_a_row >= self.needed
    }

    /// The core has answered since the last failure.
    pub(super) fn is_returning(&self) -> bool {
        self.connected && self.in_a_row > 0
    }

    pub(super) fn attempt(&self) -> Attempt {
        self.attempt
    }

    pub(super) fn connected(&mut self, now: Now) {
        self.connected = true;
        self.questions.clear();
        self.next_question = now.boottime;
    }

    pub(super) fn disconnected(&mut self, now: Now) {
        self.connected = false;
        self.questions.clear();
        self.failed(now);
    }

    /// The core did not answer in time.
    pub(super) fn failed(&mut self, now: Now) {
        self.in_a_row = 0;
        self.needed = QUESTIONS_IN_A_ROW;
        for question in &mut self.questions {
            question.outdated = true;
        }
        self.hold(now);
        self.next_question = self
            .next_question
            .min(now.boottime.plus(RECOVERY_ASK_INTERVAL));
    }

    /// The attempt has ended, and the core does not decide again yet.
    pub(super) fn hold(&mut self, now: Now) {
        self.attempt = Attempt::Failed(now.boottime.plus(FAILED_ATTEMPT_HOLDS));
    }

    /// The core decides again.
    pub(super) fn restored(&mut self) {
        self.attempt = Attempt::None;
    }

    /// A scan does not know whether the core answers: it shares the running attempt or starts one.
    /// True if a question has to be asked for it.
    pub(super) fn join_attempt(&mut self, now: Now) -> bool {
        if matches!(self.attempt, Attempt::Running(_)) {
            return false;
        }
        self.attempt = Attempt::Running(now.boottime.plus(RESYNC_BUDGET));
        self.connected && !self.questions.iter().any(|question| !question.overdue)
    }

    pub(super) fn insert_question(&mut self, nonce: Nonce, now: Now) {
        self.questions.push_back(Question {
            nonce,
            asked: now,
            overdue: false,
            outdated: false,
        });
        while self.questions.len() > MAX_OPEN_QUESTIONS {
            self.questions.pop_front();
        }
        let interval = if self.core_answers() {
            ASK_INTERVAL
        } else {
            RECOVERY_ASK_INTERVAL
        };
        self.next_question = now.boottime.plus(interval);
    }

    /// When the question of this answer was sent; none if it is not an open question of this
    /// connection. Each question takes one answer.
    pub(super) fn close_question(&mut self, nonce: Nonce, now: Now) -> Option<Now> {
        let index = self
            .questions
            .iter()
            .position(|question| question.nonce == nonce)?;
        let question = self.questions.remove(index)?;
        if question.is_due(now) {
            if !question.overdue {
                self.failed(now);
            }
        } else if !question.outdated && question.asked.boottime >= self.counted {
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.counted = now.boottime;
        }
        Some(question.asked)
    }

    /// Lets time pass; true if a question is due.
    pub(super) fn poll_question(&mut self, now: Now) -> bool {
        let mut failed = false;
        for question in &mut self.questions {
            failed |= !question.overdue && question.is_due(now);
            question.overdue |= question.is_due(now);
        }
        if failed {
            self.failed(now);
        }
        if matches!(self.attempt, Attempt::Failed(until) if until <= now.boottime) {
            self.attempt = Attempt::None;
        }
        if now.boottime < self.next_question {
            return false;
        }
        if !self.connected {
            // Without a connection the next attempt has failed before it begins.
            self.next_question = now.boottime.plus(ASK_INTERVAL);
            if !matches!(self.attempt, Attempt::Running(_)) {
                self.attempt = Attempt::Failed(self.next_question.plus(RESYNC_BUDGET));
            }
        }
        self.connected
    }

    pub(super) fn next_timeout(&self) -> (BootTime, &'static str) {
        let open = self.questions.iter().filter(|question| !question.overdue);
        let due = open.map(|question| (question.due(), "answer")).min();
        let attempt = match self.attempt {
            Attempt::None => None,
            Attempt::Running(until) => Some((until, "resync attempt")),
            Attempt::Failed(until) => Some((until, "failed attempt")),
        };
        let ask = Some((self.next_question, "question"));
        [due, attempt, ask]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or((self.next_question, "question"))
    }
}

impl Question {
    fn due(&self) -> BootTime {
        self.asked.boottime.plus(RESYNC_BUDGET)
    }

    fn is_due(&self, now: Now) -> bool {
        now.boottime >= self.due()
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::time::WallTime;

    use super::*;

    fn at(ms: u64) -> Now {
        Now {
            boottime: BootTime(ms * 1_000_000),
            wall: WallTime(0),
        }
    }

    fn nonce(number: u8) -> Nonce {
        Nonce([number; 16])
    }

    fn connected() -> Connectivity {
        let mut connectivity = Connectivity::new(at(0));
        connectivity.connected(at(0));
        assert!(connectivity.poll_question(at(0)), "asks at once");
        connectivity.insert_question(nonce(1), at(0));
        connectivity
    }

    #[test]
    fn at_the_start_one_answer_is_enough() {
        let mut connectivity = connected();
        assert!(!connectivity.core_answers());
        assert_eq!(connectivity.close_question(nonce(1), at(299)), Some(at(0)));
        assert!(connectivity.core_answers());
        assert_eq!(
            connectivity.close_question(nonce(1), at(299)),
            None,
            "one answer a question"
        );
        assert_eq!(
            connectivity.close_question(nonce(9), at(299)),
            None,
            "never asked"
        );
    }

    #[test]
    fn after_a_failure_three_in_a_row_are_needed() {
        let mut connectivity = connected();
        connectivity.close_question(nonce(1), at(100));
        connectivity.insert_question(nonce(2), at(2_000));
        connectivity.poll_question(at(2_300));
        assert!(!connectivity.core_answers(), "not answered in time");
        assert_eq!(
            connectivity.close_question(nonce(2), at(2_400)),
            Some(at(2_000)),
            "still a sync point"
        );
        assert!(!connectivity.is_returning(), "but not in time");
        for (number, ms) in [(3, 2_800), (4, 3_300), (5, 3_800)] {
            assert!(!connectivity.core_answers());
            assert!(
                connectivity.poll_question(at(ms)),
                "asks sooner while it recovers"
            );
            connectivity.insert_question(nonce(number), at(ms));
            connectivity.close_question(nonce(number), at(ms + 50));
        }
        assert!(connectivity.core_answers());
    }

    #[test]
    fn a_question_asked_before_the_failure_does_not_count_among_the_three() {
        let mut connectivity = connected();
        connectivity.close_question(nonce(1), at(100));
        connectivity.insert_question(nonce(2), at(2_000));
        connectivity.failed(at(2_100));
        assert_eq!(
            connectivity.close_question(nonce(2), at(2_200)),
            Some(at(2_000))
        );
        assert!(!connectivity.is_returning());
    }

    #[test]
    fn two_questions_of_one_moment_are_one_of_the_three() {
        let mut connectivity = connected();
        connectivity.failed(at(100));
        for (number, ms) in [(2, 1_000), (3, 1_000), (4, 1_500)] {
            connectivity.insert_question(nonce(number), at(ms));
        }
        for (number, ms) in [(2, 1_050), (3, 1_060), (4, 1_550)] {
            connectivity.close_question(nonce(number), at(ms));
        }
        assert!(!connectivity.core_answers());
        connectivity.insert_question(nonce(5), at(2_000));
        connectivity.close_question(nonce(5), at(2_050));
        assert!(connectivity.core_answers());
    }

    #[test]
    fn scans_share_one_attempt_and_a_failed_one_holds_for_two_seconds() {
        let mut connectivity = connected();
        connectivity.poll_question(at(300));
        assert_eq!(connectivity.attempt(), Attempt::Failed(at(2_300).boottime));
        connectivity.poll_question(at(2_300));
        assert_eq!(connectivity.attempt(), Attempt::None);
        assert!(
            connectivity.join_attempt(at(2_300)),
            "a question for the attempt"
        );
        connectivity.insert_question(nonce(7), at(2_300));
        assert!(!connectivity.join_attempt(at(2_400)), "shared");
        assert_eq!(connectivity.attempt(), Attempt::Running(at(2_600).boottime));
    }

    #[test]
    fn without_a_connection_scans_wait_once_and_not_again_while_it_stays_away() {
        let mut connectivity = connected();
        connectivity.close_question(nonce(1), at(50));
        connectivity.disconnected(at(1_000));
        for ms in (1_000..20_000).step_by(100) {
            connectivity.poll_question(at(ms));
            assert!(
                matches!(connectivity.attempt(), Attempt::Failed(_)),
                "at {ms}"
            );
        }
    }
}
