//! The rows in which a node decides alone when its core does not answer in time.

use anyhow::Result;
use eventify_stack::Way;

use super::{DELTA, JOURNAL, NORTH, SCAN, SOUTH, Table, VERDICT, decided_at, used_at};

impl Table<'_> {
    pub(super) async fn answer_lost(&mut self) -> Result<()> {
        self.story
            .part("row 1: core Admit S1, answer lost, edge Admit S1, journal");
        let ticket = self.play.next_ticket()?;
        self.line.hold(Way::Down, VERDICT);
        self.line.hold(Way::Up, JOURNAL);
        let (s1, answer) = self.scan(NORTH, &ticket).await?;
        let core = self.held_verdict(s1).await?;
        self.story
            .expect("the core's answer, lost", "Admit", core.name());
        self.story.expect(
            "shown at the north gate",
            "Admit, by the node alone",
            self.shown(&answer),
        );
        let before = self.check_in(&ticket).await?;
        self.story.expect(
            "check-in before the journal",
            "North gate, unconfirmed",
            before,
        );
        self.line.release(Way::Up, JOURNAL);
        self.line.forget(Way::Down, VERDICT);
        self.ends("North gate, confirmed", &[], &ticket).await
    }

    pub(super) async fn scan_behind_its_journal(&mut self) -> Result<()> {
        self.story
            .part("row 2: edge Admit S1, journal, then the old Scan S1");
        let ticket = self.play.next_ticket()?;
        self.line.hold(Way::Up, SCAN);
        let (s1, answer) = self.scan(NORTH, &ticket).await?;
        self.held_scan(s1).await?;
        self.story.expect(
            "shown at the north gate",
            "Admit, by the node alone",
            self.shown(&answer),
        );
        self.settled().await?;
        let before = self.ticket(&ticket).await?;
        self.line.hold(Way::Down, VERDICT);
        self.line.release(Way::Up, SCAN);
        let core = self.held_verdict(s1).await?;
        self.story.expect(
            "the old scan, at the core: its time is over",
            "TryAgain",
            core.name(),
        );
        self.line.forget(Way::Down, VERDICT);
        let after = self.ticket(&ticket).await?;
        self.story.expect(
            "the ticket's version at the core stays",
            &before["version"],
            &after["version"],
        );
        self.ends("North gate, confirmed", &[], &ticket).await
    }

    pub(super) async fn other_gate_before_the_journal(&mut self) -> Result<()> {
        self.story
            .part("row 3: core Admit S1, gate 2's S2, journal S1");
        let ticket = self.play.next_ticket()?;
        self.line.hold(Way::Up, JOURNAL);
        let (_, first) = self.scan(NORTH, &ticket).await?;
        self.story.expect(
            "S1 at the north gate",
            "Admit, by the core",
            self.shown(&first),
        );
        let (_, second) = self.scan(SOUTH, &ticket).await?;
        self.story.expect(
            "S2 at the south gate",
            "AlreadyUsed at North gate, confirmed: false",
            self.shown(&second),
        );
        self.line.release(Way::Up, JOURNAL);
        self.ends("North gate, confirmed", &[], &ticket).await
    }

    pub(super) async fn refusal_lost(&mut self) -> Result<()> {
        self.story
            .part("row 4: S2 admitted, Scan S1 refused but unanswered, edge Admit S1, journal");
        let ticket = self.play.next_ticket()?;
        self.line.hold(Way::Down, DELTA);
        self.line.hold(Way::Down, VERDICT);
        let (_, second) = self.scan(SOUTH, &ticket).await?;
        self.story.expect(
            "S2 at the south gate",
            "Admit, by the core",
            self.shown(&second),
        );
        self.surely_after(used_at(&self.ticket(&ticket).await?)?, NORTH)
            .await?;
        let (s1, first) = self.scan(NORTH, &ticket).await?;
        let core = self.held_verdict(s1).await?;
        self.story
            .expect("the core's answer to S1, lost", "AlreadyUsed", core.name());
        self.story.expect(
            "shown at the north gate",
            "Admit, by the node alone",
            self.shown(&first),
        );
        self.line.forget(Way::Down, VERDICT);
        self.line.release(Way::Down, DELTA);
        let double = "first South gate, second North gate";
        self.ends("South gate, confirmed", &[double], &ticket).await
    }

    pub(super) async fn admitted_elsewhere_meanwhile(&mut self) -> Result<()> {
        self.story
            .part("row 5: edge Admit S1, S2 admitted online, journal S1");
        let ticket = self.play.next_ticket()?;
        self.play.gates[NORTH].edge.line.cut();
        let (s1, first) = self.scan(NORTH, &ticket).await?;
        self.story.expect(
            "shown at the north gate",
            "Admit, by the node alone",
            self.shown(&first),
        );
        let at = decided_at(self.play, NORTH, s1).await?;
        self.surely_after(at, SOUTH).await?;
        let (_, second) = self.scan(SOUTH, &ticket).await?;
        self.story.expect(
            "S2 at the south gate",
            "Admit, by the core",
            self.shown(&second),
        );
        self.play.gates[NORTH].edge.line.heal();
        let double = "first North gate, second South gate";
        self.ends("North gate, confirmed", &[double], &ticket).await
    }

    /// What must be once all journals have arrived.
    pub(super) async fn ends(
        &mut self,
        check_in: &str,
        doubles: &[&str],
        ticket: &crate::world::customer::Ticket,
    ) -> Result<()> {
        self.settled().await?;
        let ended = self.check_in(ticket).await?;
        self.story.expect("ends with the check-in", check_in, ended);
        let told = self.doubles(ticket, doubles.len()).await?;
        let expected = if doubles.is_empty() {
            "none".to_owned()
        } else {
            doubles.join("; ")
        };
        self.story.expect("and double entries", expected, told);
        Ok(())
    }
}
