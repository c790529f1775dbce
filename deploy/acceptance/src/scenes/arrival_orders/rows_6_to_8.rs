//! Rows 6 to 8: the venue's nodes may not decide without the core, so the scanner gets no verdict when
//! the core does not answer in time.

use anyhow::Result;
use eventify_stack::Direction;

use super::{ArrivalOrders, JOURNAL, NORTH, SCAN, SOUTH, VERDICT};

impl ArrivalOrders<'_> {
    pub(super) async fn same_scan_again(&mut self) -> Result<()> {
        self.story
            .part("row 6: the core admits S1, its verdict is lost, the guest tries again at the north gate");
        let ticket = self.demo.next_ticket()?;
        let s1 = self.lose_verdict(&ticket, "ResyncRequired").await?;
        self.expect_unconfirmed(&ticket).await?;
        self.proxy.discard(Direction::Down, VERDICT);
        self.proxy.release(Direction::Up, JOURNAL);
        self.settled().await?;
        // The scanner keeps the scan's id until it gets a final verdict.
        let again = self.demo.gates[NORTH]
            .scanner
            .scan_as(s1, &ticket.token)
            .await?;
        self.expect_shown("the same scan again", "Admit, by the core", &again);
        self.expect_result("North gate, confirmed", &[], &ticket)
            .await
    }

    pub(super) async fn scan_too_late(&mut self) -> Result<()> {
        self.story
            .part("row 7: S1 reaches the core after the node has given up");
        let ticket = self.demo.next_ticket()?;
        self.proxy.hold(Direction::Up, SCAN);
        self.proxy.hold(Direction::Down, VERDICT);
        let (s1, answer) = self.scan(NORTH, &ticket).await?;
        self.held_scan(s1).await?;
        self.expect_shown("the answer at the north gate", "ResyncRequired", &answer);
        self.proxy.release(Direction::Up, SCAN);
        let core = self.held_verdict(s1).await?;
        self.story.expect(
            "the core's verdict on the late scan",
            "TryAgain",
            core.name(),
        );
        self.proxy.discard(Direction::Down, VERDICT);
        self.expect_result("none, the ticket is valid", &[], &ticket)
            .await?;
        self.demo.unused.push(ticket);
        Ok(())
    }

    pub(super) async fn guest_at_other_gate(&mut self) -> Result<()> {
        self.story.part(
            "row 8: the core admits S1, its verdict is lost, the guest goes to the south gate",
        );
        let ticket = self.demo.next_ticket()?;
        self.lose_verdict(&ticket, "ResyncRequired").await?;
        self.demo.gates[NORTH].edge.link.cut();
        self.proxy.discard(Direction::Down, VERDICT);
        self.proxy.discard(Direction::Up, JOURNAL);
        let second = self.scan_by_core(SOUTH, &ticket).await?;
        self.expect_shown(
            "S2 at the south gate: a supervisor decides",
            "AlreadyUsed at North gate, confirmed: false",
            &second,
        );
        self.demo.gates[NORTH].edge.link.heal();
        // The journal has no admission.
        self.expect_result("none, the ticket is valid", &[], &ticket)
            .await?;
        let again = self.scan_by_core(SOUTH, &ticket).await?;
        self.expect_shown(
            "after that, at the south gate",
            "Admit, by the core",
            &again,
        );
        self.expect_result("South gate, confirmed", &[], &ticket)
            .await
    }
}
