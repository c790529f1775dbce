//! The rows in which nothing is shown: the venue has switched deciding alone off, so a node whose
//! core does not answer in time gives up.

use anyhow::Result;
use eventify_stack::Way;

use super::{JOURNAL, NORTH, SCAN, SOUTH, Table, VERDICT};

impl Table<'_> {
    pub(super) async fn tried_again(&mut self) -> Result<()> {
        self.story
            .part("row 6: core Admit S1, nothing shown, guest tries again at gate 1");
        let ticket = self.play.next_ticket()?;
        self.line.hold(Way::Down, VERDICT);
        self.line.hold(Way::Up, JOURNAL);
        let (s1, answer) = self.scan(NORTH, &ticket).await?;
        let core = self.held_verdict(s1).await?;
        self.story
            .expect("the core's answer, lost", "Admit", core.name());
        self.story.expect(
            "no verdict at the north gate",
            "ResyncRequired",
            self.shown(&answer),
        );
        let before = self.check_in(&ticket).await?;
        self.story.expect(
            "check-in before the journal",
            "North gate, unconfirmed",
            before,
        );
        self.line.forget(Way::Down, VERDICT);
        self.line.release(Way::Up, JOURNAL);
        self.settled().await?;
        // The scanner keeps the scan's id until a final verdict was shown.
        let again = self.play.gates[NORTH]
            .scanner
            .scan_as(s1, &ticket.token)
            .await?;
        self.story.expect(
            "tried again there",
            "Admit, by the core",
            self.shown(&again),
        );
        self.ends("North gate, confirmed", &[], &ticket).await
    }

    pub(super) async fn executed_too_late(&mut self) -> Result<()> {
        self.story
            .part("row 7: Scan S1 executed after the edge gave up");
        let ticket = self.play.next_ticket()?;
        self.line.hold(Way::Up, SCAN);
        self.line.hold(Way::Down, VERDICT);
        let (s1, answer) = self.scan(NORTH, &ticket).await?;
        self.held_scan(s1).await?;
        self.story.expect(
            "given up at the north gate",
            "ResyncRequired",
            self.shown(&answer),
        );
        self.line.release(Way::Up, SCAN);
        let core = self.held_verdict(s1).await?;
        self.story.expect(
            "the scan, at the core at last: its time is over",
            "TryAgain",
            core.name(),
        );
        self.line.forget(Way::Down, VERDICT);
        self.ends("none, the ticket is valid", &[], &ticket).await?;
        self.play.unused.push(ticket);
        Ok(())
    }

    pub(super) async fn guest_goes_elsewhere(&mut self) -> Result<()> {
        self.story
            .part("row 8: core Admit S1, nothing shown, gate 1 cut off, guest goes to gate 2");
        let ticket = self.play.next_ticket()?;
        self.line.hold(Way::Down, VERDICT);
        self.line.hold(Way::Up, JOURNAL);
        let (s1, answer) = self.scan(NORTH, &ticket).await?;
        let core = self.held_verdict(s1).await?;
        self.story
            .expect("the core's answer, lost", "Admit", core.name());
        self.story.expect(
            "no verdict at the north gate",
            "ResyncRequired",
            self.shown(&answer),
        );
        self.play.gates[NORTH].edge.line.cut();
        self.line.forget(Way::Down, VERDICT);
        self.line.forget(Way::Up, JOURNAL);
        let (_, second) = self.scan(SOUTH, &ticket).await?;
        self.story.expect(
            "at the south gate: a supervisor decides",
            "AlreadyUsed at North gate, confirmed: false",
            self.shown(&second),
        );
        self.play.gates[NORTH].edge.line.heal();
        // The journal says at last that nobody was let in.
        self.ends("none, the ticket is valid", &[], &ticket).await?;
        let (_, again) = self.scan(SOUTH, &ticket).await?;
        self.story.expect(
            "after that, at the south gate",
            "Admit, by the core",
            self.shown(&again),
        );
        self.ends("South gate, confirmed", &[], &ticket).await
    }
}
