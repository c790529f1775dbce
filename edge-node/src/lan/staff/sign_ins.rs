//! First sign-ins with the identity provider, as the core tells of them. In memory: a restart ends them.

use std::{collections::HashMap, time::Duration};

use eventify_protocol::{
    ids::{PersonId, ScannerId, SignInId},
    lan::SignInRefusal,
    sync::{DeviceCode, MAX_DEVICE_CODE_BYTES, SignInProgress, StaffAsk},
    time::BootTime,
};

/// Open at once, of one scanner and of all.
const MAX_OPEN_OF_SCANNER: usize = 2;
const MAX_OPEN: usize = 16;
/// How long the core may take to begin one.
pub(super) const BEGIN_WITHIN: Duration = Duration::from_secs(8);
/// Longest time for a person to sign in, whatever the provider allows.
const MAX_LIFE: Duration = Duration::from_secs(900);
/// How long one that has ended is told of, and how long a PIN may be set after it was granted.
const KEEP: Duration = Duration::from_secs(300);

/// How one stands at this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The core has not answered yet.
    Beginning,
    Open(DeviceCode),
    Granted(PersonId),
    Refused(SignInRefusal),
    /// It never began.
    Unavailable,
    TooMany,
}

#[derive(Debug)]
struct SignIn {
    scanner: ScannerId,
    standing: Standing,
    until: BootTime,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct SignIns {
    by_id: HashMap<SignInId, SignIn>,
    /// Whether the provider took the newest that the core has answered, and when that was.
    provider: Option<(bool, BootTime)>,
}

/// There are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyOpen;

impl SignIns {
    pub(super) fn begin(
        &mut self,
        id: SignInId,
        scanner: ScannerId,
        now: BootTime,
    ) -> Result<(), TooManyOpen> {
        self.by_id.retain(|_, it| it.until > now);
        let open = self.by_id.values().filter(|it| it.standing.is_open());
        let of_scanner = open.clone().filter(|it| it.scanner == scanner).count();
        if open.count() >= MAX_OPEN || of_scanner >= MAX_OPEN_OF_SCANNER {
            return Err(TooManyOpen);
        }
        let begun = SignIn {
            scanner,
            standing: Standing::Beginning,
            until: now.plus(BEGIN_WITHIN),
        };
        self.by_id.insert(id, begun);
        Ok(())
    }

    /// How a scanner's own one stands, and how long it goes on.
    pub(super) fn find(
        &self,
        id: SignInId,
        scanner: ScannerId,
        now: BootTime,
    ) -> Option<(Standing, Duration)> {
        let found = self.by_id.get(&id).filter(|it| it.scanner == scanner)?;
        let left = found.until.since(now);
        if found.until > now {
            Some((found.standing.clone(), left))
        } else {
            Some((Standing::Refused(SignInRefusal::Expired), Duration::ZERO))
        }
    }

    /// The core tells how one stands. What has ended stays as it is.
    pub(super) fn update(&mut self, id: SignInId, progress: SignInProgress, now: BootTime) {
        let Some(sign_in) = self.by_id.get_mut(&id) else {
            return;
        };
        if !sign_in.standing.is_open() || sign_in.until <= now {
            return;
        }
        let is_new = sign_in.standing == Standing::Beginning;
        if is_new && progress != SignInProgress::TooMany {
            let worked = progress != SignInProgress::Unavailable;
            self.provider = Some((worked, now));
        }
        sign_in.standing = match progress {
            SignInProgress::Open(code) if !is_short(&code) => Standing::Unavailable,
            SignInProgress::Open(code) => {
                if is_new {
                    let life = Duration::from_secs(code.expires_in_seconds.into());
                    sign_in.until = now.plus(life.min(MAX_LIFE));
                }
                sign_in.standing = Standing::Open(code);
                return;
            }
            SignInProgress::Granted(person) => Standing::Granted(person),
            SignInProgress::Denied => Standing::Refused(SignInRefusal::Denied),
            SignInProgress::Expired => Standing::Refused(SignInRefusal::Expired),
            SignInProgress::NotStaff => Standing::Refused(SignInRefusal::NotStaff),
            SignInProgress::Unavailable => Standing::Unavailable,
            SignInProgress::TooMany => Standing::TooMany,
        };
        sign_in.until = now.plus(KEEP);
    }

    /// Whether the provider took the newest that the core has answered, and when that was.
    pub(super) fn provider(&self) -> Option<(bool, BootTime)> {
        self.provider
    }

    /// What the core is asked of them.
    pub(super) fn asks(&self, now: BootTime) -> Vec<StaffAsk> {
        let open = self.by_id.iter().filter(|(_, it)| it.until > now);
        open.filter_map(|(id, it)| match it.standing {
            Standing::Beginning => Some(StaffAsk::Begin {
                sign_in: *id,
                scanner: it.scanner,
            }),
            Standing::Open(_) => Some(StaffAsk::State { sign_in: *id }),
            Standing::Granted(_)
            | Standing::Refused(_)
            | Standing::Unavailable
            | Standing::TooMany => None,
        })
        .collect()
    }

    /// Whom a scanner's own one was granted to, once: it is over with that.
    pub(super) fn take_granted(
        &mut self,
        id: SignInId,
        scanner: ScannerId,
        now: BootTime,
    ) -> Option<PersonId> {
        let (standing, _) = self.find(id, scanner, now)?;
        let Standing::Granted(person) = standing else {
            return None;
        };
        self.by_id.remove(&id);
        Some(person)
    }

    /// Ends all of a scanner.
    pub(super) fn end(&mut self, scanner: ScannerId) {
        self.by_id.retain(|_, it| it.scanner != scanner);
    }
}

impl Standing {
    fn is_open(&self) -> bool {
        matches!(self, Self::Beginning | Self::Open(_))
    }
}

fn is_short(code: &DeviceCode) -> bool {
    let texts = [
        &code.user_code,
        &code.verification_uri,
        &code.verification_uri_complete,
    ];
    texts.iter().all(|text| text.len() <= MAX_DEVICE_CODE_BYTES)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SCANNER: ScannerId = ScannerId(Uuid::from_u128(1));
    const OTHER: ScannerId = ScannerId(Uuid::from_u128(2));
    const SAM: PersonId = PersonId(Uuid::from_u128(3));

    fn id(number: u128) -> SignInId {
        SignInId(Uuid::from_u128(number))
    }

    fn at(seconds: u64) -> BootTime {
        BootTime(seconds * 1_000_000_000)
    }

    fn code() -> DeviceCode {
        DeviceCode {
            user_code: "WDJB-MJHT".to_owned(),
            verification_uri: "https://id.example/device".to_owned(),
            verification_uri_complete: "https://id.example/device?user_code=WDJB-MJHT".to_owned(),
            expires_in_seconds: 600,
        }
    }

    #[test]
    fn a_sign_in_is_granted_to_its_own_scanner_once() {
        let mut sign_ins = SignIns::default();
        sign_ins.begin(id(1), SCANNER, at(0)).unwrap();
        sign_ins.update(id(1), SignInProgress::Open(code()), at(1));
        assert_eq!(sign_ins.asks(at(2)), [StaffAsk::State { sign_in: id(1) }]);
        sign_ins.update(id(1), SignInProgress::Granted(SAM), at(2));
        sign_ins.update(id(1), SignInProgress::Denied, at(3));
        assert_eq!(sign_ins.take_granted(id(1), OTHER, at(3)), None);
        assert_eq!(sign_ins.take_granted(id(1), SCANNER, at(3)), Some(SAM));
        assert_eq!(sign_ins.take_granted(id(1), SCANNER, at(3)), None);
    }

    #[test]
    fn one_that_nobody_answers_or_finishes_is_over_in_time() {
        let mut sign_ins = SignIns::default();
        sign_ins.begin(id(1), SCANNER, at(0)).unwrap();
        let over = Standing::Refused(SignInRefusal::Expired);
        assert_eq!(sign_ins.find(id(1), SCANNER, at(8)).unwrap().0, over);
        sign_ins.begin(id(2), SCANNER, at(10)).unwrap();
        sign_ins.update(id(2), SignInProgress::Open(code()), at(11));
        let open = sign_ins.find(id(2), SCANNER, at(610)).unwrap();
        assert_eq!(open, (Standing::Open(code()), Duration::from_secs(1)));
        assert_eq!(sign_ins.find(id(2), SCANNER, at(611)).unwrap().0, over);
        sign_ins.update(id(2), SignInProgress::Granted(SAM), at(612));
        assert_eq!(sign_ins.take_granted(id(2), SCANNER, at(612)), None);
        sign_ins.begin(id(3), SCANNER, at(700)).unwrap();
        sign_ins.update(id(3), SignInProgress::Granted(SAM), at(701));
        assert_eq!(
            sign_ins.take_granted(id(3), SCANNER, at(1_001)),
            None,
            "too late"
        );
    }

    #[test]
    fn a_scanner_has_two_open_and_a_node_sixteen() {
        let mut sign_ins = SignIns::default();
        for number in 0..2 {
            sign_ins.begin(id(number), SCANNER, at(0)).unwrap();
        }
        assert_eq!(sign_ins.begin(id(2), SCANNER, at(0)), Err(TooManyOpen));
        for number in 10..24 {
            let scanner = ScannerId(Uuid::from_u128(number));
            sign_ins.begin(id(number), scanner, at(0)).unwrap();
        }
        assert_eq!(sign_ins.begin(id(99), OTHER, at(0)), Err(TooManyOpen));
        assert_eq!(sign_ins.begin(id(99), OTHER, at(9)), Ok(()));
    }

    #[test]
    fn texts_that_no_screen_shows_begin_nothing() {
        let mut sign_ins = SignIns::default();
        sign_ins.begin(id(1), SCANNER, at(0)).unwrap();
        let long = DeviceCode {
            user_code: "x".repeat(MAX_DEVICE_CODE_BYTES + 1),
            ..code()
        };
        sign_ins.update(id(1), SignInProgress::Open(long), at(1));
        let (standing, _) = sign_ins.find(id(1), SCANNER, at(1)).unwrap();
        assert_eq!(standing, Standing::Unavailable);
    }
}
