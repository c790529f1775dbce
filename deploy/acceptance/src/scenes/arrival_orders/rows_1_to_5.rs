//! Rows 1 to 5: a node may decide when the core does not answer in time.

use anyhow::Result;
use eventify_stack::Direction;

use super::{ArrivalOrders, DELTA, JOURNAL, NORTH, SCAN, SOUTH, VERDICT, decided_at, used_at};
use crate::world::customer::Ticket;

impl ArrivalOrders<'_> {
    pub(super) async fn verdict_lost(&mut self) -> Result<()> {
        self.story
            .part("row 1: the core admits S1, its verdict is lost, the node admits S1");
        let ticket = self.demo.next_ticket()?;
        self.lose_verdict(&ticket, "Admit, by the node").await?;
        self.expect_unconfirmed(&ticket).await?;
        self.proxy.release(Direction::Up, JOURNAL);
        self.proxy.discard(Direction::Down, VERDICT);
        self.expect_result("North gate, confirmed", &[], &ticket)
            .await
    }

    pub(super) async fn journal_before_scan(&mut self) -> Result<()> {
        self.story
            .part("row 2: the node admits S1, its journal reaches the core before the scan");
        let ticket = self.demo.next_ticket()?;
        self.proxy.hold(Direction::Up, SCAN);
        let (s1, answer) = self.scan(NORTH, &ticket).await?;
        self.held_scan(s1).await?;
        self.expect_shown(
            "the answer at the north gate",
            "Admit, by the node",
            &answer,
        );
        self.settled().await?;
        let before = self.ticket(&ticket).await?;
        self.proxy.hold(Direction::Down, VERDICT);
        self.proxy.release(Direction::Up, SCAN);
        let core = self.held_verdict(s1).await?;
        self.story.expect(
            "the core's verdict on the late scan",
            "TryAgain",
            core.name(),
        );
        self.proxy.discard(Direction::Down, VERDICT);
        let after = self.ticket(&ticket).await?;
        self.story.expect(
            "the ticket's version at the core does not change",
            &before["version"],
            &after["version"],
        );
        self.expect_result("North gate, confirmed", &[], &ticket)
            .await
    }

    pub(super) async fn other_gate_before_journal(&mut self) -> Result<()> {
        self.story
            .part("row 3: the core admits S1, S2 comes before the journal with S1");
        let ticket = self.demo.next_ticket()?;
        self.proxy.hold(Direction::Up, JOURNAL);
        let first = self.scan_by_core(NORTH, &ticket).await?;
        self.expect_shown("S1 at the north gate", "Admit, by the core", &first);
        let second = self.scan_by_core(SOUTH, &ticket).await?;
        self.expect_shown(
            "S2 at the south gate",
            "AlreadyUsed at North gate, confirmed: false",
            &second,
        );
        self.proxy.release(Direction::Up, JOURNAL);
        self.expect_result("North gate, confirmed", &[], &ticket)
            .await
    }

    pub(super) async fn refusal_lost(&mut self) -> Result<()> {
        self.story.part(
            "row 4: the core admits S2 and refuses S1, that verdict is lost, the node admits S1",
        );
        let ticket = self.demo.next_ticket()?;
        self.proxy.hold(Direction::Down, DELTA);
        self.proxy.hold(Direction::Down, VERDICT);
        let second = self.scan_by_core(SOUTH, &ticket).await?;
        self.expect_shown("S2 at the south gate", "Admit, by the core", &second);
        self.surely_after(used_at(&self.ticket(&ticket).await?)?, NORTH)
            .await?;
        let (s1, first) = self.scan(NORTH, &ticket).await?;
        let core = self.verdict_in_time(s1).await?;
        self.story.expect(
            "the core's verdict on S1, which is lost",
            "AlreadyUsed",
            core.name(),
        );
        self.expect_shown("the answer at the north gate", "Admit, by the node", &first);
        self.proxy.discard(Direction::Down, VERDICT);
        self.proxy.release(Direction::Down, DELTA);
        let double = "first South gate, second North gate";
        self.expect_result("South gate, confirmed", &[double], &ticket)
            .await
    }

    pub(super) async fn admitted_at_both_gates(&mut self) -> Result<()> {
        self.story
            .part("row 5: the node admits S1, the core admits S2 before the journal with S1");
        let ticket = self.demo.next_ticket()?;
        self.demo.gates[NORTH].edge.link.cut();
        let (s1, first) = self.scan(NORTH, &ticket).await?;
        self.expect_shown("the answer at the north gate", "Admit, by the node", &first);
        let at = decided_at(self.demo, NORTH, s1).await?;
        self.surely_after(at, SOUTH).await?;
        let second = self.scan_by_core(SOUTH, &ticket).await?;
        self.expect_shown("S2 at the south gate", "Admit, by the core", &second);
        self.demo.gates[NORTH].edge.link.heal();
        let double = "first North gate, second South gate";
        self.expect_result("North gate, confirmed", &[double], &ticket)
            .await
    }

    /// Checks the result after all journals have arrived.
    pub(super) async fn expect_result(
        &mut self,
        check_in: &str,
        doubles: &[&str],
        ticket: &Ticket,
    ) -> Result<()> {
        self.settled().await?;
        let observed = self.check_in(ticket).await?;
        self.story.expect("result: check-in", check_in, observed);
        let observed = self.doubles(ticket, doubles.len()).await?;
        let expected = if doubles.is_empty() {
            "none".to_owned()
        } else {
            doubles.join("; ")
        };
        self.story
            .expect("result: double entries", expected, observed);
        Ok(())
    }
}
